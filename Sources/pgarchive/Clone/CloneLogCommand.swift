import ArchiveEngine
import ArgumentParser

struct CloneLogCommand: ContainerCommand {
    static let configuration = CommandConfiguration(
        commandName: "log",
        abstract: "Show a clone's newest log.",
        discussion: """
            On a terminal through $PAGER, or less; otherwise to standard output. It is PostgreSQL's CSV log, one \
            file for each day of the week in clones/NAME/log/, overwritten after a week.

            EXAMPLES
              pgarchive clone log look -f

            SEE ALSO
              clone start
            """
    )

    @Argument(help: "The clone.", completion: .custom { words, _, _ in Completions.clones(words) })
    var name: String

    @OptionGroup var log: LogOptions

    @OptionGroup var global: PassingOptions

    func run(in container: Container) throws {
        let server = CloneServer(container, try CloneCatalog(container).find(name))
        try log.show(LogView(serverLogsIn: server.logDirectory, what: "the log of clone '\(name)'"))
    }
}
