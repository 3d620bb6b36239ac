import ArchiveEngine
import ArchiveModel
import ArgumentParser

struct ClonePsqlCommand: ContainerCommand {
    static let configuration = CommandConfiguration(
        commandName: "psql",
        abstract: "Open psql on a running clone.",
        discussion: """
            As the upstream's superuser, in the database postgres unless the arguments say otherwise. Whatever \
            follows the name is psql's; options of pgarchive other than --container stand before it. The exit code is \
            psql's.

            Other programs connect to localhost and the port that 'clone list' shows, with the upstream's roles and \
            passwords. The owner needs none over the socket in run/ of the container, as in the last example.

            EXAMPLES
              pgarchive clone psql look
              pgarchive clone psql look shop -c 'SELECT count(*) FROM orders'
              pg_dump -h /var/lib/pgarchive/prod/run -p 5500 -U postgres -t orders shop

            SEE ALSO
              clone start, clone list, standby psql
            """
    )

    @OptionGroup var global: PassingOptions

    @Argument(help: "The clone.", completion: .custom { words, _, _ in Completions.clones(words) })
    var name: String

    @Argument(
        parsing: .captureForPassthrough,
        help: ArgumentHelp("Arguments for psql: a database, options.", valueName: "arg")
    )
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
        CloneUse.note(container, name)
        try Psql.run(container, port: record.port, arguments)
    }
}
