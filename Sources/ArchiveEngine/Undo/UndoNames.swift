import ArchiveModel
import PostgresLink
import WALFormat

/// Other names for dropped tables: where their own are taken by now, or others are wanted.
///
/// They are given in the look, which is thrown away: what pg_dump takes there bears them.
struct UndoNames {
    private let renamed: [TableName: TableName]

    /// Nil where all keep their own.
    init?(_ plan: UndoPlan, _ subject: UndoSubject, wanted: String?, taken: Set<TableName>) throws {
        var renamed: [TableName: TableName] = [:]
        if let wanted {
            guard let main = Self.main(of: plan, subject) else {
                throw ArchiveError(
                    .usage,
                    "--as gives one table a name, and these are \(plan.tables.count): "
                        + plan.tables.prefix(5).map(\.was.description).joined(separator: ", "),
                    hint: "name the table: --drop TABLE"
                )
            }
            guard wanted != main.name else { return nil }
            for table in plan.tables {
                renamed[table.was] =
                    table.was == main
                    ? TableName(main.schema, TableName.fitting(wanted))
                    : table.was.renamed(from: main.name, to: wanted)
            }
        } else {
            guard !taken.isEmpty else { return nil }
            let time = subject.first.event.time.map { String(Instant.compact($0).suffix(6)) } ?? "then"
            for table in plan.tables {
                renamed[table.was] = TableName(
                    table.was.schema,
                    TableName.fitting("\(table.was.name)_recovered_\(time)")
                )
            }
        }
        self.renamed = renamed
    }

    /// The one that others are parts of.
    private static func main(of plan: UndoPlan, _ subject: UndoSubject) -> TableName? {
        let chosen = Set(subject.chosen.map(\.relation))
        let candidates = chosen.isEmpty ? plan.tables : plan.tables.filter { chosen.contains($0.relation) }
        if candidates.count == 1 { return candidates[0].was }
        let parents = candidates.filter(\.isPartitioned)
        return parents.count == 1 ? parents[0].was : nil
    }

    /// With what belongs to them: indexes, sequences, statistics.
    func carryOut(on sql: SQLConnection) throws {
        defer { sql.close() }
        try sql.execute("SET search_path = ''; SET default_transaction_read_only = off")
        for (was, name) in renamed.sorted(by: { $0.key.description < $1.key.description }) {
            let owned = try sql.query(
                """
                SELECT 'TABLE', n.nspname, c.relname FROM pg_catalog.pg_class c
                JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
                WHERE c.oid IN (SELECT indexrelid FROM pg_catalog.pg_index WHERE indrelid = to_regclass($1))
                   OR c.relkind = 'S' AND c.oid IN (
                        SELECT objid FROM pg_catalog.pg_depend
                        WHERE classid = 'pg_catalog.pg_class'::regclass AND refobjid = to_regclass($1)
                          AND refclassid = 'pg_catalog.pg_class'::regclass AND refobjsubid > 0)
                UNION ALL
                SELECT 'STATISTICS', n.nspname, s.stxname FROM pg_catalog.pg_statistic_ext s
                JOIN pg_catalog.pg_namespace n ON n.oid = s.stxnamespace WHERE s.stxrelid = to_regclass($1)
                """,
                [was.sql]
            )
            for row in owned {
                guard row.count == 3, let what = row[0], let schema = row[1], let text = row[2] else { continue }
                let old = TableName(schema, text)
                let other = old.renamed(from: was.name, to: name.name)
                try sql.execute("ALTER \(what) \(old.sql) RENAME TO \(SQLText.identifier(other.name))")
            }
            try sql.execute("ALTER TABLE \(was.sql) RENAME TO \(SQLText.identifier(name.name))")
        }
    }

    func applied(to plan: UndoPlan) -> UndoPlan {
        var plan = plan
        for index in plan.tables.indices {
            plan.tables[index].name = renamed[plan.tables[index].was] ?? plan.tables[index].was
        }
        if !plan.foreignKeys.isEmpty {
            let names = plan.foreignKeys.map { "\($0.name) of \($0.table)" }.joined(separator: ", ")
            plan.remarks.append("under another name it has no foreign keys, in neither direction: \(names)")
        }
        plan.foreignKeys = []
        return plan
    }

    func requireFree(_ target: UndoTarget?, _ plan: UndoPlan) throws {
        guard let taken = try target?.taken(plan.tables.map(\.name)).min(by: { "\($0)" < "\($1)" }) else { return }
        throw ArchiveError(.conflict, "there is a \(taken) already", hint: "--as NAME gives another name")
    }
}
