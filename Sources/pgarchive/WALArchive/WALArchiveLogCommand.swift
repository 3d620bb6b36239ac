import ArchiveEngine
import ArchiveModel
import ArgumentParser

struct WALArchiveLogCommand: ContainerCommand {
    static let configuration = CommandConfiguration(
        commandName: "log",
        abstract: "Write wal_archive.log to stdout or tail -f it.",
        discussion: """
            If stdout is a terminal $PAGER is used to show it.

            EXAMPLE
              pgarchive wal_archive log -f

            SEE ALSO
              wal_archive status
            """
    )

    @OptionGroup var log: LogOptions

    @OptionGroup var global: GlobalOptions

    func run(in container: Container) throws {
        try log.show(LogView(file: container.paths.receiverLog, what: "wal_archive.log"))
    }
}
