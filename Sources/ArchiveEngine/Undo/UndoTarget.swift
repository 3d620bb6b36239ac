package import ArchiveModel
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
            SELECT number FROM unnest($1::text[], $2::text[]) WITH ORDINALITY wanted (schema, name, number)
            JOIN pg_catalog.pg_namespace n ON n.nspname = schema
            JOIN pg_catalog.pg_class c ON c.relnamespace = n.oid AND c.relname = name
            """,
            Self.arrays(names)
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

    /// Refuses what the role may not do there for certain, before all is read for it.
    package func requireRights(for plan: UndoPlan, superuser: String) throws {
        let sql = try open()
        defer { sql.close() }
        let isDrop = plan.kind == .drop
        let found = try sql.query(
            isDrop
                ? """
                SELECT 'create tables in schema ' || quote_ident(nspname), current_user FROM pg_catalog.pg_namespace
                WHERE nspname = ANY ($1::text[]) AND NOT has_schema_privilege(oid, 'CREATE') ORDER BY nspname LIMIT 1
                """
                : """
                SELECT format('add rows to %I.%I', schema, name), current_user
                FROM unnest($1::text[], $2::text[]) wanted (schema, name)
                JOIN pg_catalog.pg_namespace n ON n.nspname = schema
                JOIN pg_catalog.pg_class c ON c.relnamespace = n.oid AND c.relname = name
                WHERE NOT has_schema_privilege(n.oid, 'USAGE')
                    OR NOT (has_table_privilege(c.oid, 'INSERT') OR has_any_column_privilege(c.oid, 'INSERT'))
                ORDER BY schema, name LIMIT 1
                """,
            isDrop
                ? [SQLText.array(plan.tables.map(\.name.schema))]
                : Self.arrays(plan.tables.map(\.name))
        )
        guard let row = found.first, row.count == 2, let what = row[0], let role = row[1] else { return }
        let other = connection.withoutSecrets.merging(["user": superuser])
        throw ArchiveError(
            .refused,
            "role '\(role)' may not \(what) there, so nothing was put back",
            hint: "a superuser may, or who is granted it: --into \"\(other.text)\""
        )
    }

    /// Columns of a table that can be written; nil where there is no such table.
    func columns(of name: TableName) throws -> Set<String>? {
        let sql = try open()
        defer { sql.close() }
        guard let relation = try sql.value(Self.relation, [name.schema, name.name]) else { return nil }
        let rows = try sql.query(
            """
            SELECT attname FROM pg_catalog.pg_attribute
            WHERE attrelid = $1::oid AND attnum > 0 AND NOT attisdropped AND attgenerated = ''
            """,
            [relation]
        )
        return Set(rows.compactMap { $0.first ?? nil })
    }

    /// For people to give to psql, which asks for the password.
    package var psqlArgument: String { connection.withoutSecrets.text }

    /// By the catalogs: `to_regclass` is an error in a schema that the role may not use.
    private static let relation = """
        SELECT c.oid FROM pg_catalog.pg_class c JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
        WHERE n.nspname = $1 AND c.relname = $2
        """

    private static func arrays(_ names: [TableName]) -> [String] {
        [SQLText.array(names.map(\.schema)), SQLText.array(names.map(\.name))]
    }

    /// For psql: the secret goes by the environment, which nobody else can read.
    var forTool: (argument: String, environment: [String: String]) {
        let (without, password) = connection.passwordTaken()
        var environment = ServerLaunch.standardEnvironment()
        environment["PGPASSWORD"] = password
        environment["PGAPPNAME"] = "pgarchive undo"
        return (without.text, environment)
    }
}
