package import ArchiveModel
package import PostgresLink

/// A database of one side of a comparison, as it is at one moment: what goes on meanwhile is not seen.
package final class ComparedDatabase {
    package let connection: SQLConnection
    let interruption: Interruption?

    /// Texts are those of every other server, whatever this one's settings; nothing is written.
    private static let session = """
        SET search_path = pg_catalog; SET datestyle = 'ISO, YMD'; SET intervalstyle = postgres; SET timezone = 'UTC';
        SET extra_float_digits = 1; SET bytea_output = hex; SET xmloption = content; SET lc_monetary = 'C';
        SET row_security = off; SET statement_timeout = 0; SET idle_in_transaction_session_timeout = 0;
        SET lock_timeout = '30s'; SET jit = off;
        BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY
        """

    /// - Parameter connection: is in a transaction from then on, until it is closed.
    package init(_ connection: SQLConnection, interruption: Interruption? = nil) throws {
        self.connection = connection
        self.interruption = interruption
        try connection.execute(Self.session, timeoutSeconds: 60)
    }

    func query(_ sql: String) throws -> [[String?]] {
        try start(sql)
        return try finish()
    }

    func start(_ sql: String) throws { try connection.start(sql) }

    func finish() throws -> [[String?]] {
        do {
            return try connection.finish(interrupt: interruption?.descriptor ?? -1)
        } catch {
            try interruption?.check()
            throw error
        }
    }

    // MARK: - Tables

    /// A table whose rows can be compared, or why not.
    package struct Table: Sendable {
        package var name: TableName
        /// Nil where they can.
        package var obstacle: String?
        /// Recovery empties it, so that it cannot be the same.
        package var isUnlogged = false
    }

    /// All tables but the system's, temporary ones, and the partitions of others.
    package func tables() throws -> [Table] {
        try query(Self.tablesQuery).map { row in
            Table(name: TableName(row[0] ?? "", row[1] ?? ""), obstacle: row[2], isUnlogged: row[3] == "t")
        }.sorted { $0.name < $1.name }
    }

    private static let tablesQuery = """
        SELECT n.nspname, c.relname,
          CASE WHEN c.relpersistence = 'u' THEN 'it is unlogged'
          WHEN NOT has_table_privilege(c.oid, 'SELECT') OR NOT has_schema_privilege(n.oid, 'USAGE')
            THEN format('role %s may not read it', quote_ident(current_user))
          WHEN row_security_active(c.oid) THEN 'its policies hide rows'
          WHEN c.relkind = 'p' AND EXISTS (SELECT FROM pg_partition_tree(c.oid) p JOIN pg_class k ON k.oid = p.relid
            WHERE k.relkind = 'f') THEN 'a partition is another server''s'
          WHEN NOT EXISTS (SELECT FROM pg_attribute WHERE attrelid = c.oid AND attnum > 0 AND NOT attisdropped)
            THEN 'it has no columns' END, c.relpersistence = 'u'
        FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
        WHERE c.relkind IN ('r', 'p') AND NOT c.relispartition AND c.relpersistence <> 't'
          AND n.nspname <> 'information_schema' AND n.nspname !~ '^pg_'
        """

    /// Nil when there is no such table.
    package func shape(of table: TableName) throws -> TableShape? {
        let schema = SQLText.literal(table.schema)
        let name = SQLText.literal(table.name)
        let found = try query(
            """
            SELECT c.oid, c.relkind,
              (SELECT sum(pg_relation_size(p.relid)) FROM (SELECT relid FROM pg_partition_tree(c.oid)
                UNION SELECT c.oid) p JOIN pg_class k ON k.oid = p.relid AND k.relkind = 'r'),
              (SELECT pg_encoding_to_char(encoding) FROM pg_database WHERE datname = current_database())
            FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
            WHERE n.nspname = \(schema) AND c.relname = \(name) AND c.relkind IN ('r', 'p')
            """
        )
        guard let row = found.first, let oid = row[0] else { return nil }
        return TableShape(
            name: table,
            columns: try columns(of: oid),
            key: try query(Self.keyQuery(oid)).compactMap { $0[0] },
            isPartitioned: row[1] == "p",
            bytes: row[2].flatMap { UInt64($0) } ?? 0,
            encoding: row[3] ?? ""
        )
    }

    private func columns(of oid: String) throws -> [TableShape.Column] {
        try query(
            """
            SELECT a.attname, format_type(a.atttypid, a.atttypmod), a.attgenerated <> '', a.attidentity = 'a',
              CASE WHEN a.atttypid IN (16, 17, 18, 20, 21, 23, 26, 700, 701, 1082, 1083, 1114, 1184, 1186, 1700, 2950,
                869, 650, 829) THEN a.atttypid::text
              WHEN a.atttypid IN (19, 25, 1042, 1043) THEN a.atttypid || ' ' || CASE
                WHEN a.attcollation IN (950, 951) THEN 'C' ELSE \(collation) END END
            FROM pg_attribute a WHERE a.attrelid = \(oid) AND a.attnum > 0 AND NOT a.attisdropped ORDER BY a.attnum
            """
        ).map { row in
            TableShape.Column(
                name: row[0] ?? "",
                type: row[1] ?? "",
                order: row[4],
                isGenerated: row[2] == "t",
                isAlwaysIdentity: row[3] == "t"
            )
        }
    }

    /// A collation with its version: of the database, or of the column.
    ///
    /// Null where the order cannot be told, or where the index was made with another version of the library.
    private var collation: String {
        guard connection.serverVersion >= 150_000 else { return "NULL" }
        return """
            (SELECT CASE WHEN a.attcollation = 100 THEN (SELECT d.datlocprovider::text || ' ' || d.datcollate || ' '
              || coalesce(to_jsonb(d) ->> 'datlocale', to_jsonb(d) ->> 'daticulocale', '') || ' '
              || CASE WHEN d.datcollate ~ '^(C|POSIX)' AND d.datlocprovider = 'c' THEN ''
                WHEN d.datcollversion = pg_database_collation_actual_version(d.oid) THEN d.datcollversion END
              FROM pg_database d WHERE d.datname = current_database())
            ELSE (SELECT l.collname || ' ' || l.collprovider::text || ' ' || l.collversion FROM pg_collation l
              WHERE l.oid = a.attcollation AND l.collisdeterministic
              AND l.collversion = pg_collation_actual_version(l.oid)) END)
            """
    }

    /// The primary key's columns, else those of the first unique index of columns that are never null.
    private static func keyQuery(_ oid: String) -> String {
        """
        SELECT a.attname FROM (SELECT i.indexrelid, i.indrelid, i.indkey, i.indnkeyatts FROM pg_index i
          WHERE i.indrelid = \(oid) AND i.indisunique AND i.indisvalid AND i.indimmediate AND i.indpred IS NULL
          AND i.indexprs IS NULL AND NOT EXISTS (SELECT FROM generate_series(0, i.indnkeyatts - 1) g
            JOIN pg_attribute b ON b.attrelid = i.indrelid AND b.attnum = i.indkey[g] WHERE NOT b.attnotnull)
          ORDER BY i.indisprimary DESC, i.indexrelid LIMIT 1) i
        CROSS JOIN generate_series(0, i.indnkeyatts - 1) g
        JOIN pg_attribute a ON a.attrelid = i.indrelid AND a.attnum = i.indkey[g] ORDER BY g
        """
    }
}
