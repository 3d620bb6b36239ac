import ArchiveEngine
import ArgumentParser

struct WALArchiveStartCommand: ContainerCommand {
    static let configuration = CommandConfiguration(
        commandName: "start",
        abstract: "Start the wal_archive process.",
        discussion: """
            It is kept running by the container's supervisor, which is started too if there is none; the standby is \
            left as it is. Returns when the upstream has answered, or says why it has not; then it goes on trying.

            SEE ALSO
              container start, wal_archive status, wal_archive log
            """
    )

    @OptionGroup var global: GlobalOptions

    func run(in container: Container) throws {
        try PartCommands.start(.walArchive, in: container, render)
    }
}
