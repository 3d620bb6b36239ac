import ArchiveModel
package import PostgresLink

/// The server into which something is put back.
package struct UndoTarget: Sendable {
    package let connection: ConnectionString

    /// - Parameters:
    ///   - text: a connection string; `upstream` for the container's own.
    ///   - database: where none is named; of the upstream always.
    package init(_ text: String, database: String, container: Container) throws {
        if text == "upstream" {
            connection = try ConnectionString(container.settings.upstream).merging(["dbname": database])
        } else {
            connection = try ConnectionString(text).defaulting(["dbname": database])
        }
    }

    /// For people.
    package var title: String { connection.shortened }

    func open() throws -> SQLConnection {
        try SQLConnection(connection, applicationName: "pgarchive undo", statementTimeoutSeconds: 60)
    }

    /// Those of these names that are taken there.
    func taken(_ names: [TableName]) throws -> Set<TableName> {
        let sql = try open()
        defer { sql.close() }
        let found = try sql.query(
            """
            SELECT number FROM unnest($1::text[]) WITH ORDINALITY wanted (name, number)
            WHERE to_regclass(name) IS NOT NULL
            """,
            [SQLText.array(names.map(\.sql))]
        ).compactMap { ($0.first ?? nil).flatMap { Int($0) } }
        return Set(found.compactMap { names.indices.contains($0 - 1) ? names[$0 - 1] : nil })
    }

    /// Why nothing can be put back there.
    package func check() throws {
        let sql = try open()
        defer { sql.close() }
        guard try sql.value("SELECT pg_is_in_recovery()") == "t" else { return }
        throw ArchiveError(
            .refused,
            "the server of --into is a standby, which takes no writes",
            hint: "give the primary's connection"
        )
    }

    /// Columns of a table that can be written; nil where there is no such table.
    func columns(of name: TableName) throws -> Set<String>? {
        let sql = try open()
        defer { sql.close() }
        guard try sql.value("SELECT to_regclass($1) IS NOT NULL", [name.sql]) == "t" else { return nil }
        let rows = try sql.query(
            """
            SELECT attname FROM pg_catalog.pg_attribute
            WHERE attrelid = to_regclass($1) AND attnum > 0 AND NOT attisdropped AND attgenerated = ''
            """,
            [name.sql]
        )
        return Set(rows.compactMap { $0.first ?? nil })
    }

    /// For people to give to psql, which asks for the password.
    package var psqlArgument: String { connection.passwordTaken().without.text }

    /// For psql: the secret goes by the environment, which nobody else can read.
    var forTool: (argument: String, environment: [String: String]) {
        let (without, password) = connection.passwordTaken()
        var environment = ServerLaunch.standardEnvironment()
        environment["PGPASSWORD"] = password
        environment["PGAPPNAME"] = "pgarchive undo"
        return (without.text, environment)
    }
}
