import ArchiveEngine
import ArchiveModel
import ArgumentParser

struct WALArchiveLogCommand: ContainerCommand {
    static let configuration = CommandConfiguration(
        commandName: "log",
        abstract: "Show the log of the wal_archive process, log/wal_archive.log.",
        discussion: """
            On a terminal through $PAGER, or less; otherwise to standard output.

            EXAMPLES
              pgarchive wal_archive log -f

            SEE ALSO
              wal_archive status
            """
    )

    @OptionGroup var log: LogOptions

    @OptionGroup var global: PassingOptions

    func run(in container: Container) throws {
        try log.show(LogView(file: container.paths.receiverLog, what: "wal_archive.log"))
    }
}
