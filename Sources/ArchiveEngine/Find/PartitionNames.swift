import ArchiveModel
import PostgresLink
import WALFormat

extension EventFilter {
    /// The same with the partitions of the table that is asked for: rows are theirs, and never the table's own.
    ///
    /// The standby knows them. Where it does not run, only those are found that are asked for by their own names.
    func withPartitions(_ container: Container, _ index: IndexDatabase) throws -> EventFilter {
        guard let table = table.map(Self.folded) else { return self }
        var filter = self
        let tables = try index.names(like: table).filter { $0.kind == .partitionedTable }
        guard !tables.isEmpty else { return filter }
        let databases = try index.databases()
        for name in tables {
            for database in databases[name.database] ?? [] {
                if let found = try? Self.partitions(of: name, in: database, container) {
                    filter.partitions.formUnion(found)
                }
            }
        }
        return filter
    }

    private static func partitions(
        of table: KnownName,
        in database: String,
        _ container: Container
    ) throws -> [Partition] {
        let sql = try SQLConnection(
            LocalLink.connectionString(
                container: container,
                port: StandbyConfiguration.port,
                database: database
            ),
            applicationName: "pgarchive find",
            timeoutSeconds: 2
        )
        defer { sql.close() }
        let rows = try sql.query(
            "SELECT relid::oid FROM pg_partition_tree($1::oid::regclass)",
            ["\(table.relation)"],
            timeoutSeconds: 2
        )
        return rows.compactMap { ($0.first ?? nil).flatMap { UInt32($0) } }
            .map { Partition(database: table.database, relation: $0) }
    }
}
