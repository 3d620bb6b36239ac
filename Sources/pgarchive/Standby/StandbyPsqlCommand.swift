import ArchiveEngine
import ArchiveModel
import ArgumentParser

struct StandbyPsqlCommand: ContainerCommand {
    static let configuration = CommandConfiguration(
        commandName: "psql",
        abstract: "Open a psql shell connected to the standby: read-only, and as it replays.",
        discussion: """
            Additional arguments are passed through; options of pgarchive stand before them.

            EXAMPLE
              pgarchive standby psql
              pgarchive standby psql shop -c 'SELECT pg_last_xact_replay_timestamp()'

            SEE ALSO
              clone psql
            """
    )

    @OptionGroup var global: GlobalOptions

    @Argument(parsing: .captureForPassthrough, help: ArgumentHelp("Arguments for psql.", valueName: "arg"))
    var arguments: [String] = []

    func run(in container: Container) throws {
        guard PartControl(container).standbyIsRunning else {
            throw ArchiveError(.conflict, "the standby is not running", hint: "'pgarchive standby start' starts it")
        }
        try Psql.run(container, port: StandbyConfiguration.port, arguments)
    }
}
