import ArchiveModel
import Platform
import PostgresLink
import WALFormat

/// Reads the names of relations, databases and tablespaces from a server's catalogs.
struct CatalogNames {
    let container: Container
    let port: Int
    private let timeoutSeconds = 20.0

    /// Where the server's replay stands.
    func position() throws -> LSN? {
        let connection = try LocalLink.connect(container: container, port: port)
        defer { connection.close() }
        return try connection.value("SELECT pg_last_wal_replay_lsn()").flatMap { LSN($0) }
    }

    /// Databases that can be connected to, by oid, and the names of all and of tablespaces.
    func shared(at position: LSN) throws -> (databases: [UInt32: String], names: [KnownName]) {
        let connection = try LocalLink.connect(container: container, port: port)
        defer { connection.close() }
        let rows = try connection.query(
            """
            SELECT oid, datname, 'd', datallowconn FROM pg_database
            UNION ALL SELECT oid, spcname, 's', false FROM pg_tablespace
            """,
            timeoutSeconds: timeoutSeconds
        )
        var databases: [UInt32: String] = [:]
        var names: [KnownName] = []
        for row in rows {
            guard row.count == 4, let oid = row[0].flatMap({ UInt32($0) }), let name = row[1],
                let kind = row[2].flatMap({ KnownName.Kind(rawValue: $0) })
            else { continue }
            if row[3] == "t" { databases[oid] = name }
            names.append(
                KnownName(database: 0, relation: oid, file: 0, schema: "", name: name, kind: kind, seenFrom: position)
            )
        }
        return (databases, names)
    }

    /// All relations with files, and partitioned tables.
    ///
    /// - Parameter withTOASTIndexes: their names matter only where one of them is dropped by itself, as REINDEX does.
    func relations(
        of database: UInt32,
        name: String,
        at position: LSN,
        withTOASTIndexes: Bool = false
    ) throws -> [KnownName] {
        let target = try LocalLink.connectionString(container: container, port: port, database: name)
        let connection = try SQLConnection(target, applicationName: "pgarchive index", timeoutSeconds: 5)
        defer { connection.close() }
        let query = withTOASTIndexes ? Self.query : Self.query + Self.withoutTOASTIndexes
        let rows = try connection.query(query, timeoutSeconds: timeoutSeconds)
        return rows.compactMap { row in
            guard row.count == 5, let oid = row[0].flatMap({ UInt32($0) }), let file = row[1].flatMap({ UInt32($0) }),
                let schema = row[2], let name = row[3], let kind = row[4].flatMap({ KnownName.Kind(rawValue: $0) })
            else { return nil }
            return KnownName(
                database: database,
                relation: oid,
                file: file,
                schema: schema,
                name: name,
                kind: kind,
                seenFrom: position
            )
        }
    }

    /// A TOAST table goes under the name of its table; `pg_relation_filenode` also knows the mapped catalogs' files.
    private static let query = """
        SELECT c.oid, coalesce(pg_catalog.pg_relation_filenode(c.oid), 0), n.nspname, coalesce(o.relname, c.relname),
               c.relkind
        FROM pg_catalog.pg_class c
        LEFT JOIN pg_catalog.pg_class o ON c.relkind = 't' AND o.reltoastrelid = c.oid
        JOIN pg_catalog.pg_namespace n ON n.oid = coalesce(o.relnamespace, c.relnamespace)
        WHERE c.relkind IN ('r', 'p', 'm', 'i', 'I', 'S', 't') AND c.relpersistence <> 't'
        """
    private static let withoutTOASTIndexes = " AND NOT (c.relkind = 'i' AND n.nspname = 'pg_toast')"
}

/// Keeps the index's names as the standby's catalogs are.
struct NameRefresh {
    let container: Container
    /// Asked while another process has the index.
    let mayWait: () -> Bool

    /// Reads them anew where replay has gone on since the last time.
    ///
    /// The catalogs are read before the index is asked for: nobody waits for it meanwhile.
    func run() throws {
        let catalog = CatalogNames(container: container, port: StandbyConfiguration.port)
        guard let position = try catalog.position() else { return }
        let file = IndexFile(container)
        let last = try file.look { try $0.namesState()?.position }
        guard position != last else { return }
        var found = try read(catalog, at: position)
        try file.use(for: "writing names", mayWait: mayWait, say: { _ in }) { index in
            // A database that is gone takes its relations with it.
            let known = try index.databasesWithNames()
            let there = Set(found[0, default: []].filter { $0.kind == .database }.map(\.relation))
            for oid in known where oid != 0 && !there.contains(oid) { found[oid] = [] }
            let last = try index.namesState()?.position
            try index.database.transaction {
                for (database, names) in found { try index.setNames(names, of: database, last: last) }
                try index.setState(IndexDatabase.NamesState(position: position), IndexDatabase.namesKey)
            }
        }
    }

    /// By database; those of the cluster under 0.
    private func read(_ catalog: CatalogNames, at position: LSN) throws -> [UInt32: [KnownName]] {
        let (databases, shared) = try catalog.shared(at: position)
        var found: [UInt32: [KnownName]] = [0: shared]
        for (oid, name) in databases {
            // Dropped meanwhile, or full: the others are worth having; this one keeps what was known.
            if let names = try? catalog.relations(of: oid, name: name, at: position) { found[oid] = names }
        }
        return found
    }
}
