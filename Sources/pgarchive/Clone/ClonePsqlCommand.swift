import ArchiveEngine
import ArchiveModel
import ArgumentParser

struct ClonePsqlCommand: ContainerCommand {
    static let configuration = CommandConfiguration(
        commandName: "psql",
        abstract: "Open a psql shell connected to a running named clone instance.",
        discussion: """
            Additional arguments are passed through; options of pgarchive stand before the name. The connection is \
            over the clone's Unix socket, as a superuser, to the database postgres unless you name another.

            EXAMPLE
              pgarchive clone psql look
              pgarchive clone psql look shop -c 'SELECT count(*) FROM orders'

            SEE ALSO
              clone start, standby psql
            """
    )

    @OptionGroup var global: GlobalOptions

    @Argument(help: "The clone.", completion: .custom { words, _, _ in Completions.clones(words) })
    var name: String

    @Argument(parsing: .captureForPassthrough, help: ArgumentHelp("Arguments for psql.", valueName: "arg"))
    var arguments: [String] = []

    func run(in container: Container) throws {
        let record = try CloneCatalog(container).find(name)
        guard CloneServer(container, record).isRunning else {
            throw ArchiveError(
                .conflict,
                "clone '\(name)' is not running",
                hint: "'pgarchive clone start \(name)' starts it"
            )
        }
        try Psql.run(container, port: record.port, arguments)
    }
}
