import ArchiveEngine
import ArchiveModel
import ArgumentParser

struct CloneConnectCommand: ContainerCommand {
    static let configuration = CommandConfiguration(
        commandName: "connect",
        abstract: "Print how a program connects to a running clone.",
        discussion: """
            Over the clone's Unix socket, as the container's owner, who needs no password; or with --network by its \
            port, with a role's password, for a clone that was made --reachable from other hosts too. 'clone create \
            --password' shows passwords once. A client of a reachable clone needs its certificate, the file that is \
            shown, as sslrootcert.

            EXAMPLES
              psql "$(pgarchive clone connect look --output uri)"
              eval "$(pgarchive clone connect look --database shop --output env)"
              pgarchive clone connect look --network --role app --output json

            EXIT CODES
              6  no such clone
              7  it is not running

            SEE ALSO
              clone psql, clone list
            """
    )

    enum Form: String, CaseIterable, ExpressibleByArgument {
        case uri
        case env
        case json
    }

    /// `--output` has other forms here.
    struct Options: CommonOptions {
        @OptionGroup var containerOptions: ContainerOptions

        @Option(help: ArgumentHelp("As a URI, as a shell's variables, or as JSON.", valueName: "form"))
        var output: Form = .uri

        @Flag(name: [.short, .long], help: .hidden)
        var quiet = false

        @Flag(name: [.short, .long], help: .hidden)
        var verbose = false

        var render: Render {
            Render(format: output == .json ? .json : .table, isQuiet: quiet, isVerbose: verbose)
        }
    }

    @Argument(help: "The clone.", completion: .custom { words, _, _ in Completions.clones(words) })
    var name: String

    @Option(help: ArgumentHelp("The role. (default: the upstream's superuser)", valueName: "name"))
    var role: String?

    @Option(help: ArgumentHelp("The database. (default: postgres)", valueName: "name"))
    var database: String?

    @Flag(help: "By the network, with a password, instead of the socket.")
    var network = false

    @OptionGroup var global: Options

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
        let connection = CloneConnection(
            container,
            record,
            role: role,
            database: database,
            usesNetwork: network
        )
        switch global.output {
        case .uri: try StandardOutput.write(connection.uri + "\n")
        case .env: try StandardOutput.write(connection.exports)
        case .json: try render.show(connection) { _ in "" }
        }
    }
}
