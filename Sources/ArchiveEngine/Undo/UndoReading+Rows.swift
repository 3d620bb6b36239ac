import ArchiveModel
import PostgresLink
import WALFormat

/// Rows that are put back into tables that are still there.
extension UndoReading {
    // MARK: - Truncated

    func truncated() throws -> UndoPlan {
        var files: [RelationFile] = []
        for case .truncate(let found) in subject.events.map(\.event.kind) { files += found.removed }
        var tables = try roots(of: files, onlyRoots: false)
        for index in tables.indices {
            try describe(&tables[index])
            tables[index].rows = try count(tables[index])
            tables[index].sequences = try sequences(of: tables[index].relation)
        }
        return UndoPlan(kind: .truncate, database: subject.database, tables: try inOrder(tables))
    }

    // MARK: - Deleted

    /// Just before the commit the deleted rows are all there, and each names the transaction that has deleted it.
    func deleted() throws -> UndoPlan {
        var files: [RelationFile] = []
        var known: [UInt32: UInt64] = [:]
        for case .massDelete(let file, _) in subject.events.map(\.event.kind) { files.append(file) }
        for case .massDelete(let file, let rows) in (subject.events + subject.others).map(\.event.kind) {
            known[file.number, default: 0] &+= rows
        }
        let ids = try transactionIDs()
        let condition = "xmax = ANY ('\(Self.array(ids))'::xid[])"
        var tables = try roots(of: files, onlyRoots: true)
        let asked = Set(tables.map(\.relation))
        tables += try cascaded(from: asked)
        for index in tables.indices {
            try describe(&tables[index])
            tables[index].condition = condition
            tables[index].rows = try count(tables[index])
            tables[index].total = nil
        }
        let counts = try deletedRows(known, tables)
        let shortfalls = tables.compactMap { shortfall(counts[$0.relation] ?? 0, $0) }
        tables = tables.filter { ($0.rows ?? 0) > 0 }
        // The same mark is on rows that it updated or locked.
        for index in tables.indices {
            tables[index].hasOthers = counts[tables[index].relation] != tables[index].rows
        }
        var plan = UndoPlan(kind: .delete, database: subject.database, tables: try inOrder(tables))
        for table in tables where !asked.contains(table.relation) {
            plan.remarks.append("rows of \(table.was) went with them, by a foreign key with ON DELETE CASCADE")
        }
        plan.remarks += shortfalls
        plan.remarks += try emptied(by: tables)
        for table in tables where table.hasOthers {
            plan.remarks.append(
                table.key.isEmpty
                    ? "\(table.was) has no key: rows that the transaction only updated or locked may be among those "
                        + "that are put back"
                    : "the transaction also updated or locked rows of \(table.was): one whose key it changed comes "
                        + "back under the old one as well"
            )
        }
        if subject.earlier > 0, let table = tables.first {
            plan.remarks.append(
                "\(subject.earlier) earlier deletes from it are known, which stay as they are: 'pgarchive find "
                    + "--deleted \(table.was)'; --event undoes one of them"
            )
        }
        return plan
    }

    /// The transaction's id and those of its subtransactions, out of its commit record.
    private func transactionIDs() throws -> [UInt32] {
        let event = subject.first.event
        return [event.transactionID] + (try container.commit(of: event)?.subtransactions ?? [])
    }

    /// Tables that lose rows when these do, step by step.
    private func cascaded(from tables: Set<UInt32>) throws -> [UndoTable] {
        try query(
            """
            WITH RECURSIVE went (oid) AS (
              SELECT unnest($1::oid[])
              UNION
              SELECT k.conrelid FROM pg_catalog.pg_constraint k JOIN went w ON w.oid = k.confrelid
              WHERE k.contype = 'f' AND k.confdeltype = 'c' AND k.conparentid = 0
            )
            SELECT c.oid, n.nspname, c.relname, c.relkind FROM went w
            JOIN pg_catalog.pg_class c ON c.oid = w.oid JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
            WHERE c.oid <> ALL ($1::oid[]) AND c.relkind IN ('r', 'p')
            """,
            [Self.array(tables)]
        ).compactMap(table)
    }

    /// Tables whose rows only lost what they referred to.
    private func emptied(by tables: [UndoTable]) throws -> [String] {
        try query(
            """
            SELECT k.conrelid::regclass, k.confrelid::regclass FROM pg_catalog.pg_constraint k
            WHERE k.contype = 'f' AND k.confdeltype IN ('n', 'd') AND k.conparentid = 0
              AND k.confrelid = ANY ($1::oid[])
            """,
            [Self.array(tables.map(\.relation))]
        ).compactMap { row in
            guard let table = row[0], let other = row[1] else { return nil }
            return "\(table) refers to \(other) with ON DELETE SET NULL or SET DEFAULT: what was set so stays so"
        }
    }

    /// How many rows of each table the event says were deleted; of one that has no event nothing is known.
    private func deletedRows(_ known: [UInt32: UInt64], _ tables: [UndoTable]) throws -> [UInt32: UInt64] {
        var counts: [UInt32: UInt64] = [:]
        for table in tables {
            let files = try query(
                """
                SELECT c.relfilenode FROM pg_catalog.pg_class c WHERE c.oid = $1::oid AND c.relkind = 'r'
                UNION ALL
                SELECT c.relfilenode FROM pg_partition_tree($1::oid::regclass) p
                JOIN pg_catalog.pg_class c ON c.oid = p.relid WHERE p.isleaf AND c.oid <> $1::oid
                """,
                ["\(table.relation)"]
            ).compactMap { ($0.first ?? nil).flatMap { UInt32($0) } }
            counts[table.relation] = files.reduce(0) { $0 &+ (known[$1] ?? 0) }
        }
        return counts
    }

    /// A row that the transaction had locked before a subtransaction of it deleted it bears another mark.
    private func shortfall(_ deleted: UInt64, _ table: UndoTable) -> String? {
        let found = table.rows ?? 0
        guard deleted > found else { return nil }
        return "the transaction deleted \(deleted) rows of \(table.was), and only \(found) of them are found: it had "
            + "locked the others before, or added them itself; 'pgarchive dump --before "
            + "\(subject.first.event.start)' takes the whole table"
    }

    // MARK: - Tables

    private func table(_ row: [String?]) -> UndoTable? {
        guard let oid = row[0].flatMap({ UInt32($0) }), let name = names(row, 1), let kind = row[3] else { return nil }
        return UndoTable(relation: oid, was: name, kind: kind)
    }

    /// The tables of files; of a partition the whole partitioned table where that is wanted.
    private func roots(of files: [RelationFile], onlyRoots: Bool) throws -> [UndoTable] {
        let numbers = Self.array(files.map(\.number))
        let found = try query(
            """
            SELECT DISTINCT r.oid, n.nspname, r.relname, r.relkind
            FROM pg_catalog.pg_class c
            JOIN pg_catalog.pg_class r
              ON r.oid = CASE WHEN $2::bool THEN coalesce(pg_partition_root(c.oid), c.oid::regclass)::oid ELSE c.oid END
            JOIN pg_catalog.pg_namespace n ON n.oid = r.relnamespace
            WHERE c.relkind = 'r' AND c.relfilenode <> 0 AND c.relfilenode = ANY ($1::oid[])
              AND ($3::oid[] = '{}' OR c.oid = ANY ($3::oid[]))
            """,
            [numbers, onlyRoots ? "t" : "f", Self.array(subject.chosen.map(\.relation))]
        )
        return found.compactMap(table)
    }

    /// Columns, and by which a row is known.
    private func describe(_ table: inout UndoTable) throws {
        table.columns = try query(
            """
            SELECT attname, format_type(atttypid, atttypmod) FROM pg_catalog.pg_attribute
            WHERE attrelid = $1::oid AND attnum > 0 AND NOT attisdropped AND attgenerated = '' ORDER BY attnum
            """,
            ["\(table.relation)"]
        ).compactMap { row in
            guard let name = row[0], let type = row[1] else { return nil }
            return UndoTable.Column(name: name, type: type)
        }
        let keys = try query(
            """
            SELECT (SELECT string_agg(a.attname, chr(1) ORDER BY k.place)
                    FROM unnest(i.indkey::int2[]) WITH ORDINALITY k (number, place)
                    JOIN pg_catalog.pg_attribute a ON a.attrelid = i.indrelid AND a.attnum = k.number
                    WHERE k.place <= i.indnkeyatts),
                   i.indimmediate,
                   i.indpred IS NULL AND i.indexprs IS NULL AND NOT EXISTS (
                     SELECT FROM pg_catalog.pg_attribute a
                     WHERE a.attrelid = i.indrelid AND a.attnum = ANY (i.indkey::int2[]) AND NOT a.attnotnull)
            FROM pg_catalog.pg_index i WHERE i.indrelid = $1::oid AND i.indisunique AND i.indisvalid
            ORDER BY i.indisprimary DESC, i.indnkeyatts, i.indexrelid
            """,
            ["\(table.relation)"]
        )
        table.hasDeferrableKey = keys.contains { $0[1] == "f" }
        // A generated column is not among those that are written.
        let written = Set(table.columns.map(\.name))
        for row in keys where row[2] == "t" {
            let key = (row[0] ?? "").split(separator: "\u{1}").map(String.init)
            guard !key.isEmpty, written.isSuperset(of: key) else { continue }
            table.key = key
            break
        }
    }

    private func count(_ table: UndoTable) throws -> UInt64? {
        let condition = table.condition.map { " WHERE \($0)" } ?? ""
        return try query("SELECT count(*) FROM \(table.source)\(condition)").first?.first.flatMap {
            $0.flatMap { UInt64($0) }
        }
    }

    private func sequences(of relation: UInt32) throws -> [UndoTable.Sequence] {
        let names = try query(
            """
            SELECT n.nspname, c.relname, s.seqincrement FROM pg_catalog.pg_depend d
            JOIN pg_catalog.pg_class c ON c.oid = d.objid AND c.relkind = 'S'
            JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
            JOIN pg_catalog.pg_sequence s ON s.seqrelid = c.oid
            WHERE d.classid = 'pg_catalog.pg_class'::regclass AND d.refclassid = 'pg_catalog.pg_class'::regclass
              AND d.refobjid = $1::oid AND d.refobjsubid > 0 AND d.deptype IN ('a', 'i')
            """,
            ["\(relation)"]
        )
        return try names.compactMap { row in
            guard let name = self.names(row, 0), let increment = row[2].flatMap({ Int64($0) }),
                let last = try query("SELECT last_value FROM \(name.sql) WHERE is_called").first?.first,
                let number = last.flatMap({ Int64($0) })
            else { return nil }
            return UndoTable.Sequence(name: name, last: number, increment: increment)
        }
    }

    /// Referenced tables come before those that reference them.
    private func inOrder(_ tables: [UndoTable]) throws -> [UndoTable] {
        let oids = Self.array(tables.map(\.relation))
        let references = try query(
            """
            SELECT conrelid, confrelid FROM pg_catalog.pg_constraint
            WHERE contype = 'f' AND conrelid = ANY ($1::oid[]) AND confrelid = ANY ($1::oid[]) AND conrelid <> confrelid
            """,
            [oids]
        ).compactMap { row -> (UInt32, UInt32)? in
            guard let one = row[0].flatMap({ UInt32($0) }), let other = row[1].flatMap({ UInt32($0) }) else {
                return nil
            }
            return (one, other)
        }
        var rest = tables
        var sorted: [UndoTable] = []
        while !rest.isEmpty {
            let waiting = Set(rest.map(\.relation))
            let free = rest.filter { table in
                !references.contains { $0.0 == table.relation && waiting.contains($0.1) }
            }
            // In a circle any order is as good.
            let next = free.isEmpty ? rest : free
            sorted += next
            let taken = Set(next.map(\.relation))
            rest.removeAll { taken.contains($0.relation) }
        }
        return sorted
    }
}

extension UndoTable {
    /// Rows of children have tables of their own.
    var source: String { (isPartitioned ? "" : "ONLY ") + was.sql }
}
