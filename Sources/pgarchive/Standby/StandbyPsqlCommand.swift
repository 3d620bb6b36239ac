import ArchiveEngine
import ArchiveModel
import ArgumentParser

struct StandbyPsqlCommand: ContainerCommand {
    static let configuration = CommandConfiguration(
        commandName: "psql",
        abstract: "Open psql on the standby: read-only, and as far as it has replayed.",
        discussion: """
            As the upstream's superuser, in the database postgres unless the arguments say otherwise. Whatever \
            follows is psql's; options of pgarchive other than --container stand before it. The exit code is psql's.

            EXAMPLES
              pgarchive standby psql
              pgarchive standby psql shop -c 'SELECT pg_last_xact_replay_timestamp()'

            SEE ALSO
              clone psql
            """
    )

    @OptionGroup var global: PassingOptions

    @Argument(
        parsing: .captureForPassthrough,
        help: ArgumentHelp("Arguments for psql: a database, options.", valueName: "arg")
    )
    var arguments: [String] = []

    func run(in container: Container) throws {
        guard PartControl(container).standbyIsRunning else {
            throw ArchiveError(.conflict, "the standby is not running", hint: "'pgarchive standby start' starts it")
        }
        try Psql.run(container, port: StandbyConfiguration.port, arguments)
    }
}
