import ArchiveEngine
import ArchiveModel
import ArgumentParser

struct StandbyLogCommand: ContainerCommand {
    static let configuration = CommandConfiguration(
        commandName: "log",
        abstract: "Write today's standby log to stdout or tail -f it.",
        discussion: """
            If stdout is a terminal $PAGER is used to show it. The log is PostgreSQL's, as CSV, one file a weekday, \
            each overwritten after a week.

            EXAMPLE
              pgarchive standby log -f

            SEE ALSO
              standby status
            """
    )

    @OptionGroup var log: LogOptions

    @OptionGroup var global: GlobalOptions

    func run(in container: Container) throws {
        try log.show(LogView(serverLogsIn: container.paths.standbyLog, what: "the standby's log"))
    }
}
