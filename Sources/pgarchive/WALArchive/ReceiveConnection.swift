import ArchiveModel
import ArgumentParser
import PostgresLink

/// Where to connect to, as PostgreSQL's tools are told.
struct ReceiveConnection: ParsableArguments {
    @Option(
        name: [.customShort("d", allowingJoined: true), .long],
        help: ArgumentHelp("The connection, as libpq writes it; what follows wins over it.", valueName: "connstr")
    )
    var dbname: String?

    @Option(
        name: [.customShort("h", allowingJoined: true), .long],
        help: ArgumentHelp("The server's host name, or the directory of its socket.", valueName: "host")
    )
    var host: String?

    @Option(
        name: [.customShort("p", allowingJoined: true), .long],
        help: ArgumentHelp("The server's port.", valueName: "port")
    )
    var port: String?

    @Option(
        name: [.customShort("U", allowingJoined: true), .long],
        help: ArgumentHelp("The role, which may replicate.", valueName: "name")
    )
    var username: String?

    @Flag(name: [.customShort("w"), .customLong("no-password")], help: "Never ask for a password.")
    var noPassword = false

    @Flag(name: [.customShort("W"), .long], help: "Ask for the password before connecting.")
    var password = false

    var isGiven: Bool { dbname != nil || host != nil || port != nil || username != nil || password || noPassword }

    /// The whole connection: options first, then -d, then libpq's environment; with the password, where one is asked.
    func resolved(applicationName: String) throws -> ConnectionString {
        let options = [("host", host), ("port", port), ("user", username)]
        let given = Dictionary(uniqueKeysWithValues: options.compactMap { key, value in value.map { (key, $0) } })
        let target = try ConnectionString(dbname ?? "", takesServices: true).merging(given).completedFromEnvironment()
        if password { return target.merging(["password": try PasswordPrompt.ask()]) }
        guard !noPassword, target.value(of: "password") == nil, PasswordPrompt.isPossible else { return target }
        do throws(LinkError) {
            try SQLConnection(target.forReplication, applicationName: applicationName).close()
        } catch {
            // Without a SQLSTATE the server has asked for a password and got none.
            guard error.kind == .authentication, error.sqlState == nil else { return target }
            return target.merging(["password": try PasswordPrompt.ask()])
        }
        return target
    }
}
