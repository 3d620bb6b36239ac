import ArchiveEngine
import ArgumentParser

struct WALArchiveStopCommand: ContainerCommand {
    static let configuration = CommandConfiguration(
        commandName: "stop",
        abstract: "Stop the wal_archive process.",
        discussion: """
            It stays stopped until it is started again. Meanwhile the upstream keeps all WAL for the replication \
            slot: watch its disk space.

            SEE ALSO
              container stop, wal_archive start
            """
    )

    @OptionGroup var global: GlobalOptions

    func run(in container: Container) throws {
        try PartCommands.stop(.walArchive, mode: .fast, in: container, render)
    }
}
