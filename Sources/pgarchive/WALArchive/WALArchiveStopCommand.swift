import ArchiveEngine
import ArgumentParser

struct WALArchiveStopCommand: ContainerCommand {
    static let configuration = CommandConfiguration(
        commandName: "stop",
        abstract: "Stop the wal_archive process.",
        discussion: """
            It stays stopped until it is started again; nothing that was received is lost. Meanwhile the upstream \
            keeps all WAL for the replication slot: watch its disk space. Where its commits wait for the archive \
            (wal.synchronous), they do not return meanwhile; what frees them is printed. To stop and start it makes \
            it read pgarchive.toml again.

            EXAMPLES
              pgarchive wal_archive stop && pgarchive wal_archive start

            SEE ALSO
              wal_archive start, container stop
            """
    )

    @OptionGroup var wait: WaitOptions

    @OptionGroup var global: GlobalOptions

    func run(in container: Container) throws {
        WaitingCommits.warn(of: container, render)
        try PartCommands.stop(.walArchive, mode: .fast, wait, in: container, render)
    }
}
