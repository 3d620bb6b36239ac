import ArchiveEngine
import ArgumentParser

struct WALArchiveStatusCommand: ContainerCommand {
    static let configuration = CommandConfiguration(
        commandName: "status",
        abstract: "Check if the wal_archive process is running; exit 1 if it is not.",
        discussion: """
            Shows what it does, how far WAL has been received and is durable, and why it stands still if it does.

            SEE ALSO
              container status, wal_archive log
            """
    )

    @OptionGroup var global: GlobalOptions

    func run(in container: Container) throws {
        try PartCommands.status(.walArchive, stations: ["upstream", "received", "durable"], in: container, render)
    }
}
