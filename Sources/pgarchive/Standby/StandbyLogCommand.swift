import ArchiveEngine
import ArchiveModel
import ArgumentParser

struct StandbyLogCommand: ContainerCommand {
    static let configuration = CommandConfiguration(
        commandName: "log",
        abstract: "Show the standby's newest log.",
        discussion: """
            On a terminal through $PAGER, or less; otherwise to standard output. It is PostgreSQL's CSV log, one \
            file for each day of the week in log/standby/, overwritten after a week.

            EXAMPLES
              pgarchive standby log -f

            SEE ALSO
              standby status
            """
    )

    @OptionGroup var log: LogOptions

    @OptionGroup var global: PassingOptions

    func run(in container: Container) throws {
        try log.show(LogView(serverLogsIn: container.paths.standbyLog, what: "the standby's log"))
    }
}
