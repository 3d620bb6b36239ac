import ArchiveEngine
import ArgumentParser

struct CloneLogCommand: ContainerCommand {
    static let configuration = CommandConfiguration(
        commandName: "log",
        abstract: "Write the named clone's log to stdout or tail -f it.",
        discussion: """
            If stdout is a terminal $PAGER is used to show it. The log is PostgreSQL's, as CSV, one file a weekday; \
            the newest is shown.

            EXAMPLE
              pgarchive clone log look -f

            SEE ALSO
              clone start
            """
    )

    @Argument(help: "The clone.", completion: .custom { words, _, _ in Completions.clones(words) })
    var name: String

    @OptionGroup var log: LogOptions

    @OptionGroup var global: GlobalOptions

    func run(in container: Container) throws {
        let server = CloneServer(container, try CloneCatalog(container).find(name))
        try log.show(LogView(serverLogsIn: server.logDirectory, what: "the log of clone '\(name)'"))
    }
}
