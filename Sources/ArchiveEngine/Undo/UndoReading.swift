import ArchiveModel
import PostgresLink
import WALFormat
import WALStore

/// Reads from the moment before a mistake what it took.
struct UndoReading {
    let container: Container
    let subject: UndoSubject
    let sql: SQLConnection
    let interruption: Interruption?

    init(_ container: Container, _ subject: UndoSubject, port: Int, interruption: Interruption?) throws {
        self.container = container
        self.subject = subject
        self.interruption = interruption
        sql = try SQLConnection(
            LocalLink.connectionString(container: container, port: port, database: subject.database),
            applicationName: "pgarchive undo"
        )
        // Names are then whole wherever the server writes them.
        try sql.execute("SET search_path = ''")
    }

    func plan() throws -> UndoPlan {
        var plan: UndoPlan
        switch subject.kind {
        case .drop: plan = try dropped()
        case .truncate: plan = try truncated()
        case .delete: plan = try deleted()
        }
        guard !plan.tables.isEmpty || !plan.indexes.isEmpty else {
            throw ArchiveError(
                .notFound,
                "what was \(subject.kind.past) at \(subject.first.event.start) is not in database "
                    + "'\(subject.database)' just before",
                hint: "'pgarchive psql --before \(subject.first.event.start) \(subject.database)' looks there"
            )
        }
        plan.remarks += try unlogged(plan)
        plan.remarks += try besides(plan)
        return plan
    }

    private func unlogged(_ plan: UndoPlan) throws -> [String] {
        try query(
            """
            SELECT c.oid::regclass FROM pg_catalog.pg_class c
            WHERE c.oid = ANY ($1::oid[]) AND c.relkind = 'r' AND c.relpersistence = 'u' ORDER BY 1
            """,
            [Self.array(plan.tables.map(\.relation))]
        ).compactMap { row in
            guard let table = row[0] else { return nil }
            return "\(table) was unlogged: its rows are in no WAL and do not come back"
        }
    }

    /// What the same transaction did to others.
    private func besides(_ plan: UndoPlan) throws -> [String] {
        let covered = try Set(
            query(
                """
                SELECT unnest($1::oid[]) UNION SELECT p.relid::oid FROM unnest($1::oid[]) t (oid),
                  LATERAL pg_partition_tree(t.oid::regclass) p
                """,
                [Self.array(plan.tables.map(\.relation))]
            ).compactMap { ($0.first ?? nil).flatMap { UInt32($0) } }
        )
        let others = subject.others.filter { other in
            let isCovered = !other.names.isEmpty && other.names.allSatisfy { covered.contains($0.relation) }
            return other.event.kind.name != plan.kind.event || !isCovered
        }.map { other in
            other.event.kind.name
                + (other.objects.isEmpty ? "" : " of " + other.objects.prefix(5).joined(separator: ", "))
        }
        guard !others.isEmpty else { return [] }
        return ["the same transaction also did: " + others.joined(separator: "; ")]
    }

    func query(_ text: String, _ parameters: [String?] = []) throws -> [[String?]] {
        try sql.query(text, parameters, interrupt: interruption?.descriptor ?? -1)
    }

    static func array(_ oids: some Sequence<UInt32>) -> String {
        "{" + oids.map { "\($0)" }.joined(separator: ",") + "}"
    }

    func names(_ row: [String?], _ first: Int) -> TableName? {
        guard row.count > first + 1, let schema = row[first], let name = row[first + 1] else { return nil }
        return TableName(schema, name)
    }

    // MARK: - Dropped

    private func dropped() throws -> UndoPlan {
        var oids: Set<UInt32> = []
        var files: Set<UInt32> = []
        for case .drop(let found) in subject.events.map(\.event.kind) {
            oids.formUnion(found.dropped)
            files.formUnion(found.removed.map(\.number))
        }
        let relations = try relations(oids, files)
        let chosen = try closure(relations, from: Set(subject.chosen.map(\.relation)))
        let taken = relations.filter { chosen.contains($0.relation) && Self.dumped.contains($0.kind) }
        var plan = UndoPlan(kind: .drop, database: subject.database, tables: taken)
        for index in plan.tables.indices where plan.tables[index].holdsRows {
            let count = try query("SELECT count(*) FROM ONLY \(plan.tables[index].was.sql)").first?.first ?? nil
            plan.tables[index].rows = count.flatMap { UInt64($0) }
        }
        if taken.isEmpty { plan.indexes = try indexes(relations) }
        plan.foreignKeys = try foreignKeys(of: Set(taken.map(\.relation)), dropped: Set(relations.map(\.relation)))
        plan.schemas = try schemas(Set(taken.map(\.was.schema)))
        let left = relations.filter { !chosen.contains($0.relation) && Self.dumped.contains($0.kind) }
        if !left.isEmpty {
            plan.remarks.append(
                "the same transaction also dropped \(left.prefix(5).map(\.was.description).joined(separator: ", "))"
                    + (left.count > 5 ? " and \(left.count - 5) more" : "")
                    + ": --event \(subject.first.event.start) takes all of them"
            )
        }
        plan.remarks += try publications(Set(taken.map(\.relation)))
        return plan
    }

    /// What pg_dump takes by name.
    private static let dumped: Set<String> = ["r", "p", "v", "m", "f", "S"]

    /// Sequences of tables come with these.
    private func relations(_ oids: Set<UInt32>, _ files: Set<UInt32>) throws -> [UndoTable] {
        try query(
            """
            SELECT c.oid, n.nspname, c.relname, c.relkind
            FROM pg_catalog.pg_class c JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
            WHERE (c.oid = ANY ($1::oid[]) OR c.relfilenode <> 0 AND c.relfilenode = ANY ($2::oid[]))
              AND c.relpersistence <> 't' AND c.relkind NOT IN ('t', 'c')
              AND NOT (c.relkind = 'i' AND n.nspname = 'pg_toast')
              AND NOT (c.relkind = 'S' AND EXISTS (
                SELECT FROM pg_catalog.pg_depend d WHERE d.classid = 'pg_catalog.pg_class'::regclass
                AND d.objid = c.oid AND d.deptype IN ('a', 'i') AND d.refobjsubid > 0))
            ORDER BY 2, 3
            """,
            [Self.array(oids), Self.array(files)]
        ).compactMap { row in
            guard let oid = row[0].flatMap({ UInt32($0) }), let name = names(row, 1), let kind = row[3] else {
                return nil
            }
            return UndoTable(relation: oid, was: name, kind: kind)
        }
    }

    /// With partitions, children and views, which went because of these.
    private func closure(_ relations: [UndoTable], from chosen: Set<UInt32>) throws -> Set<UInt32> {
        let all = Set(relations.map(\.relation))
        guard !chosen.isEmpty else { return all }
        let edges = try query(
            """
            SELECT inhrelid, inhparent FROM pg_catalog.pg_inherits WHERE inhrelid = ANY ($1::oid[])
            UNION
            SELECT r.ev_class, d.refobjid FROM pg_catalog.pg_depend d
            JOIN pg_catalog.pg_rewrite r ON d.classid = 'pg_catalog.pg_rewrite'::regclass AND r.oid = d.objid
            WHERE d.refclassid = 'pg_catalog.pg_class'::regclass AND r.ev_class = ANY ($1::oid[])
              AND r.ev_class <> d.refobjid
            """,
            [Self.array(all)]
        ).compactMap { row -> (UInt32, UInt32)? in
            guard let child = row[0].flatMap({ UInt32($0) }), let parent = row[1].flatMap({ UInt32($0) }) else {
                return nil
            }
            return (child, parent)
        }
        var found = chosen
        var hasGrown = true
        while hasGrown {
            let more = edges.filter { found.contains($0.1) && !found.contains($0.0) && all.contains($0.0) }
            found.formUnion(more.map(\.0))
            hasGrown = !more.isEmpty
        }
        return found
    }

    /// Of indexes that were dropped alone: with their constraints, where they are theirs.
    private func indexes(_ relations: [UndoTable]) throws -> [String] {
        try query(
            """
            SELECT coalesce(
              'ALTER TABLE ' || k.conrelid::regclass || ' ADD CONSTRAINT ' || quote_ident(k.conname) || ' '
                || pg_get_constraintdef(k.oid),
              pg_get_indexdef(i.indexrelid))
            FROM pg_catalog.pg_index i
            LEFT JOIN pg_catalog.pg_constraint k ON k.conindid = i.indexrelid AND k.contype IN ('p', 'u', 'x')
            JOIN pg_catalog.pg_class c ON c.oid = i.indexrelid
            WHERE i.indexrelid = ANY ($1::oid[]) AND NOT c.relispartition
            """,
            [Self.array(relations.map(\.relation))]
        ).compactMap { $0.first ?? nil }
    }

    /// Both their own and those of tables that are still there.
    private func foreignKeys(of taken: Set<UInt32>, dropped: Set<UInt32>) throws -> [UndoForeignKey] {
        guard !taken.isEmpty else { return [] }
        return try query(
            """
            SELECT k.conname, n.nspname, c.relname, fn.nspname, fc.relname, pg_get_constraintdef(k.oid), c.oid,
                   obj_description(k.oid, 'pg_constraint')
            FROM pg_catalog.pg_constraint k
            JOIN pg_catalog.pg_class c ON c.oid = k.conrelid
            JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
            JOIN pg_catalog.pg_class fc ON fc.oid = k.confrelid
            JOIN pg_catalog.pg_namespace fn ON fn.oid = fc.relnamespace
            WHERE k.contype = 'f' AND k.conparentid = 0
              AND (k.conrelid = ANY ($1::oid[]) OR k.confrelid = ANY ($1::oid[]))
            ORDER BY 2, 3, 1
            """,
            [Self.array(taken)]
        ).compactMap { row in
            guard let name = row[0], let table = names(row, 1), let other = names(row, 3), let text = row[5],
                let oid = row[6].flatMap({ UInt32($0) })
            else { return nil }
            // Of a table that went too and is not brought back.
            if dropped.contains(oid), !taken.contains(oid) { return nil }
            return UndoForeignKey(
                name: name,
                table: table,
                references: other,
                definition: text,
                isOfOther: !taken.contains(oid),
                comment: row[7]
            )
        }
    }

    private func schemas(_ names: Set<String>) throws -> [UndoSchema] {
        try query("SELECT nspname, pg_catalog.pg_get_userbyid(nspowner) FROM pg_catalog.pg_namespace").compactMap {
            guard let name = $0[0], let owner = $0[1], names.contains(name), name != "public" else { return nil }
            return UndoSchema(name: name, owner: owner)
        }.sorted { $0.name < $1.name }
    }

    private func publications(_ taken: Set<UInt32>) throws -> [String] {
        try query(
            """
            SELECT p.pubname, r.prrelid::regclass FROM pg_catalog.pg_publication_rel r
            JOIN pg_catalog.pg_publication p ON p.oid = r.prpubid WHERE r.prrelid = ANY ($1::oid[])
            """,
            [Self.array(taken)]
        ).compactMap { row in
            guard let publication = row[0], let table = row[1] else { return nil }
            return "\(table) was in publication \(publication): "
                + "ALTER PUBLICATION \(SQLText.identifier(publication)) ADD TABLE \(table)"
        }
    }
}
