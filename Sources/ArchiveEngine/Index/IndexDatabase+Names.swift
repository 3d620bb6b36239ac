import ArchiveModel
package import WALFormat

/// What a relation, database or tablespace was called, and from when to when this was seen.
package struct KnownName: Codable, Hashable, Sendable {
    /// What names are given to, by pg_class's letter; two of our own for what is not in pg_class.
    package enum Kind: String, Codable, Sendable {
        case table = "r"
        case partitionedTable = "p"
        case materializedView = "m"
        case index = "i"
        case partitionedIndex = "I"
        case sequence = "S"
        /// Under the name of its table.
        case toast = "t"
        case database = "d"
        case tablespace = "s"

        var isTable: Bool { self == .table || self == .partitionedTable || self == .materializedView }
    }

    /// 0 for databases and tablespaces.
    package var database: UInt32
    package var relation: UInt32
    /// 0 for what has no file.
    package var file: UInt32
    package var schema: String
    package var name: String
    package var kind: Kind
    package var seenFrom: LSN
    /// The last position at which it was still so; nil while it is.
    package var seenTo: LSN?

    package init(
        database: UInt32,
        relation: UInt32,
        file: UInt32,
        schema: String,
        name: String,
        kind: Kind,
        seenFrom: LSN,
        seenTo: LSN? = nil
    ) {
        self.database = database
        self.relation = relation
        self.file = file
        self.schema = schema
        self.name = name
        self.kind = kind
        self.seenFrom = seenFrom
        self.seenTo = seenTo
    }

    func isSame(_ other: KnownName) -> Bool {
        file == other.file && schema == other.schema && name == other.name && kind == other.kind
    }

    /// As people write it.
    var text: String {
        let full = schema.isEmpty ? name : "\(schema).\(name)"
        switch kind {
        case .toast: return "TOAST of \(full)"
        case .index, .partitionedIndex: return "index \(full)"
        case .sequence: return "sequence \(full)"
        default: return full
        }
    }
}

/// The names that the standby's catalogs had.
extension IndexDatabase {
    /// How far names have been read: at this position of replay they were all true.
    package struct NamesState: Codable, Hashable, Sendable {
        package var position: LSN

        package init(position: LSN) {
            self.position = position
        }
    }

    static let namesKey = "names"

    package func namesState() throws(SQLiteError) -> NamesState? { try state(NamesState.self, Self.namesKey) }

    /// Takes what a database's catalogs hold at a position; only changes are written.
    ///
    /// - Parameters:
    ///   - database: 0 for the list of databases and tablespaces.
    ///   - last: where they were read before.
    func setNames(_ current: [KnownName], of database: UInt32, last: LSN?) throws(SQLiteError) {
        var known: [UInt32: KnownName] = [:]
        for name in try names("database = ? AND seen_to IS NULL", [SQLiteValue(database)]) {
            known[name.relation] = name
        }
        for name in current {
            if let before = known.removeValue(forKey: name.relation) {
                if before.isSame(name) { continue }
                try close(before, at: last)
            }
            try insert(name)
        }
        for gone in known.values { try close(gone, at: last) }
    }

    package func insert(_ name: KnownName) throws(SQLiteError) {
        try database.run(
            "INSERT OR REPLACE INTO names VALUES (?,?,?,?,?,?,?,?,?)",
            [
                SQLiteValue(name.database), SQLiteValue(name.relation), SQLiteValue(name.file),
                .text(name.schema), .text(name.name), .text(name.kind.rawValue),
                SQLiteValue(name.seenFrom), SQLiteValue(name.seenTo), .text(name.name.lowercased()),
            ]
        )
        try askAgain(EventRelation(database: name.database, isFile: false, number: name.relation))
        if name.file != 0 {
            try askAgain(EventRelation(database: name.database, isFile: true, number: name.file))
        }
    }

    private func close(_ name: KnownName, at last: LSN?) throws(SQLiteError) {
        try database.run(
            "UPDATE names SET seen_to = ? WHERE database = ? AND relation = ? AND seen_from = ?",
            [
                SQLiteValue(max(last ?? name.seenFrom, name.seenFrom)), SQLiteValue(name.database),
                SQLiteValue(name.relation), SQLiteValue(name.seenFrom),
            ]
        )
    }

    /// Names by a condition, oldest first.
    func names(_ condition: String, _ values: [SQLiteValue]) throws(SQLiteError) -> [KnownName] {
        try database.rows(
            """
            SELECT database, relation, file, schema, name, kind, seen_from, seen_to FROM names
            WHERE \(condition) ORDER BY seen_from
            """,
            values
        ) { row in
            row.text(5).flatMap { KnownName.Kind(rawValue: $0) }.map { kind in
                KnownName(
                    database: UInt32(truncatingIfNeeded: row.number(0)),
                    relation: UInt32(truncatingIfNeeded: row.number(1)),
                    file: UInt32(truncatingIfNeeded: row.number(2)),
                    schema: row.text(3) ?? "",
                    name: row.text(4) ?? "",
                    kind: kind,
                    seenFrom: row.lsn(6) ?? .invalid,
                    seenTo: row.lsn(7)
                )
            }
        }.compactMap(\.self)
    }

    /// Databases' names, as they are or were.
    func databases() throws(SQLiteError) -> [UInt32: Set<String>] {
        Dictionary(try names("database = 0 AND kind = 'd'", []).map { ($0.relation, [$0.name]) }) { $0.union($1) }
    }

    /// Whatever is or was called so, as people write names: with or without schema and database, in any case.
    ///
    /// - Parameter table: in the form of `EventFilter.forms`; `*` and `?` match.
    func names(like table: String) throws(SQLiteError) -> [KnownName] {
        let databases = try databases()
        let candidates: [KnownName]
        if Glob.isPattern(table) {
            candidates = try names("database <> 0", [])
        } else {
            // What stands behind any of the dots may be the name.
            var ends = [table]
            var rest = Substring(table)
            while let dot = rest.firstIndex(of: ".") {
                rest = rest[rest.index(after: dot)...]
                ends.append(String(rest))
            }
            let marks = Array(repeating: "?", count: ends.count).joined(separator: ",")
            candidates = try names("folded IN (\(marks)) AND database <> 0", ends.map { .text($0) })
        }
        return candidates.filter { name in
            let owners = databases[name.database].map { $0.map(Optional.some) } ?? [nil]
            return owners.contains { database in
                EventFilter.forms(of: name, database: database).contains { Glob.matches(table, $0) }
            }
        }
    }

    /// Tables' names as people may write them, with as many dots as another one.
    func forms(dots: Int) throws(SQLiteError) -> Set<String> {
        let tables = "kind IN ('r', 'p', 'm')"
        if dots == 0 {
            return Set(
                try database.rows("SELECT DISTINCT folded FROM names WHERE \(tables)") { $0.text(0) ?? "" }
                    .filter { !$0.contains(".") }
            )
        }
        let databases = try databases()
        var forms: Set<String> = []
        for name in try names(tables, []) {
            for database in databases[name.database] ?? [] {
                forms.formUnion(EventFilter.forms(of: name, database: database))
            }
        }
        return forms.filter { form in form.count { $0 == "." } == dots }
    }

    /// The databases of which relations are known that are still there.
    func databasesWithNames() throws(SQLiteError) -> [UInt32] {
        try database.rows("SELECT DISTINCT database FROM names WHERE seen_to IS NULL") {
            UInt32(truncatingIfNeeded: $0.number(0))
        }
    }

    /// Takes out names that only WAL before this position could ask for, and no event does.
    package func removeNames(before position: LSN) throws(SQLiteError) {
        try database.run(
            """
            DELETE FROM names WHERE seen_to < ? AND NOT EXISTS (
                SELECT 1 FROM event_relations AS used
                WHERE used.database = names.database AND used.is_file = 1 AND used.relation = names.file
            ) AND NOT EXISTS (
                SELECT 1 FROM event_relations AS used
                WHERE used.database = names.database AND used.is_file = 0 AND used.relation = names.relation
            )
            """,
            [SQLiteValue(position)]
        )
    }
}
