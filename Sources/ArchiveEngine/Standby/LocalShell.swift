import ArchiveModel
import PostgresLink

/// How psql is run on one of the container's own servers.
package struct LocalShell: Sendable {
    package let executable: String
    package let environment: [String: String]

    /// - Parameters:
    ///   - port: the server's, which is the number in its socket's name.
    ///   - environment: the caller's; its PG* variables do not go along.
    ///   - database: where the program's own arguments name none.
    ///   - tool: another program of PostgreSQL's.
    ///   - readOnly: transactions read only, unless they say otherwise themselves.
    package init(
        _ container: Container,
        port: Int,
        environment: [String: String],
        database: String? = nil,
        tool: String = "psql",
        readOnly: Bool = false
    ) throws {
        self.executable = try container.installation().tool(tool)
        // By the environment, so that whatever stands among psql's own arguments wins.
        var environment = environment.filter { !LibpqEnvironment.isLibpq($0.key) }
        environment["PGHOST"] = container.paths.socketDirectory
        environment["PGPORT"] = String(port)
        environment["PGUSER"] = container.identity.superuser
        environment["PGDATABASE"] = database ?? LocalLink.databases.first
        environment["PGSSLMODE"] = "disable"
        environment["PGGSSENCMODE"] = "disable"
        // Stronger than what a file, a role or a database says.
        if readOnly { environment["PGOPTIONS"] = "-c default_transaction_read_only=on" }
        self.environment = environment
    }
}
