import ArchiveEngine
import ArchiveModel

/// What a comparison found, for people and for programs.
struct DiffReport {
    let left: String
    let right: String
    var databases: [DatabaseDifference] = []
    /// Databases of one side.
    var onlyLeft: [String] = []
    var onlyRight: [String] = []

    init(left: String, right: String) {
        self.left = left
        self.right = right
    }

    var hasDifferences: Bool {
        !onlyLeft.isEmpty || !onlyRight.isEmpty || databases.contains { !$0.areSame }
    }

    /// Tables of which it is not known whether they are the same.
    var unreadable: [(database: String, table: ComparedDatabase.Table)] {
        databases.flatMap { database in
            database.notCompared.filter { !$0.isUnlogged }.map { (database.database, $0) }
        }
    }

    // MARK: - As text

    func text(_ palette: Palette) -> String {
        let compared = databases.flatMap(\.tables)
        let same = compared.count { $0.counts.areSame && $0.only == nil }
        let unlogged = databases.flatMap(\.notCompared).count { $0.isUnlogged }
        var text = hasDifferences ? table(palette) + examples(palette) + "\n" : ""
        let tables = HumanText.count(same, "table")
        let rest = unreadable.isEmpty ? "" : "; \(HumanText.count(unreadable.count, "table")) not compared"
        if hasDifferences {
            text += "\(tables) the same\(rest)\n"
        } else {
            let verdict = unreadable.isEmpty ? palette.green("the same") : "no difference found"
            text += "\(verdict): \(tables), \(rowCount(compared)) rows\(rest)\n"
        }
        if unlogged > 0 {
            text += "\(HumanText.count(unlogged, "unlogged table")) not compared: no recovery brings their rows back\n"
        }
        return text
    }

    private func rowCount(_ tables: [DatabaseDifference.Table]) -> UInt64 {
        tables.reduce(0) { $0 &+ $1.counts.left }
    }

    func table(_ palette: Palette) -> String {
        var text = ""
        for name in onlyLeft { text += "database \(name): only left\n" }
        for name in onlyRight { text += "database \(name): only right\n" }
        let parts = [rowTable(palette), schemaTable(palette)].filter { !$0.isEmpty }
        return (text.isEmpty ? [] : [text]).joined() + parts.joined(separator: "\n")
    }

    private func rowTable(_ palette: Palette) -> String {
        var table = TableText(
            [
                ("DATABASE", .left), ("TABLE", .left), ("LEFT", .right), ("RIGHT", .right), ("ONLY LEFT", .right),
                ("ONLY RIGHT", .right), ("CHANGED", .right),
            ],
            whenEmpty: ""
        )
        var isEmpty = true
        for database in databases {
            for found in database.tables where !found.counts.areSame || found.only != nil {
                let counts = found.counts
                isEmpty = false
                table.add([
                    .init(database.database), .init(found.name.description),
                    .init(found.only == .onlyRight ? "-" : "\(counts.left)"),
                    .init(found.only == .onlyLeft ? "-" : "\(counts.right)"),
                    .init("\(counts.onlyLeft)", counts.onlyLeft == 0 ? .plain : .warning),
                    .init("\(counts.onlyRight)", counts.onlyRight == 0 ? .plain : .warning),
                    .init("\(counts.changed)", counts.changed == 0 ? .plain : .warning),
                ])
            }
        }
        return isEmpty ? "" : table.text(palette)
    }

    private func schemaTable(_ palette: Palette) -> String {
        var table = TableText(
            [("DATABASE", .left), ("KIND", .left), ("NAME", .left), ("DIFFERENCE", .left)],
            whenEmpty: ""
        )
        var isEmpty = true
        for database in databases {
            for found in database.schema where !found.isImplied {
                isEmpty = false
                table.add([
                    .init(database.database), .init(found.kind.rawValue), .init(found.name),
                    .init(Self.words(found.difference)),
                ])
            }
            for found in database.sequences where found.isShared {
                isEmpty = false
                table.add([
                    .init(database.database), .init("position"), .init(found.name.description),
                    .init("\(found.left ?? "unused") left, \(found.right ?? "unused") right"),
                ])
            }
        }
        return isEmpty ? "" : table.text(palette)
    }

    static func words(_ kind: RowDifference.Kind) -> String {
        switch kind {
        case .onlyLeft: "only left"
        case .onlyRight: "only right"
        case .changed: "changed"
        }
    }

    private func examples(_ palette: Palette) -> String {
        var text = ""
        for database in databases {
            for table in database.tables where !table.examples.isEmpty {
                text += "\n" + palette.bold("\(database.database).\(table.name)") + "\n"
                guard let plan = table.plan else { continue }
                for row in table.examples { text += "  \(Self.line(plan, row))\n" }
            }
        }
        return text
    }

    /// A row: its key, and what differs.
    static func line(_ plan: ComparisonPlan, _ row: RowDifference) -> String {
        let value = { (values: [String?], index: Int) in
            index < values.count ? shortened(values[index]) : "null"
        }
        let all = { (values: [String?]) in
            plan.columns.indices.map { "\(plan.columns[$0].name)=\(value(values, $0))" }.joined(separator: " ")
        }
        let copies = row.copies > 1 ? " (\(row.copies) times)" : ""
        switch (row.left, row.right) {
        case (let left?, nil): return "only left: \(all(left))\(copies)"
        case (nil, let right?): return "only right: \(all(right))\(copies)"
        case (let left?, let right?):
            let key = zip(plan.key, plan.keyValues(left)).map { "\($0)=\(shortened($1))" }
            let changes = plan.columns.indices
                .filter { $0 < left.count && $0 < right.count && !RowDifference.areSame(left[$0], right[$0]) }
                .map { "\(plan.columns[$0].name) \(value(left, $0)) -> \(value(right, $0))" }
            return "changed: \(key.joined(separator: " ")): \(changes.joined(separator: ", "))"
        case (nil, nil): return ""
        }
    }

    private static func shortened(_ value: String?) -> String {
        guard let value else { return "null" }
        let line = String(value.map { $0.isNewline ? " " : $0 })
        return line.count > 40 ? line.prefix(37) + "..." : line
    }
}

// MARK: - As JSON

extension DiffReport: Encodable {
    private struct Database: Encodable {
        let name: String
        let tables: [Table]
        let schema: [Object]
        let sequences: [Sequence]
        let notCompared: [String: String]
    }

    private struct Table: Encodable {
        let name: String
        let only: String?
        let counts: RowCounts
        let rows: [Row]
    }

    private struct Row: Encodable {
        let kind: RowDifference.Kind
        let left: [String: String?]?
        let right: [String: String?]?
        let copies: Int
    }

    private struct Object: Encodable {
        let kind: SchemaObject.Kind
        let name: String
        let difference: RowDifference.Kind
        let left: String?
        let right: String?
    }

    private struct Sequence: Encodable {
        let name: String
        let left: String?
        let right: String?
    }

    private enum Key: String, CodingKey {
        case left, right, same, databases, onlyLeft, onlyRight
    }

    func encode(to encoder: any Encoder) throws {
        var container = encoder.container(keyedBy: Key.self)
        try container.encode(left, forKey: .left)
        try container.encode(right, forKey: .right)
        try container.encode(!hasDifferences && unreadable.isEmpty, forKey: .same)
        try container.encode(onlyLeft, forKey: .onlyLeft)
        try container.encode(onlyRight, forKey: .onlyRight)
        try container.encode(databases.map(Self.json), forKey: .databases)
    }

    private static func json(_ found: DatabaseDifference) -> Database {
        Database(
            name: found.database,
            tables: found.tables.map { table in
                Table(
                    name: table.name.description,
                    only: table.only.map { $0 == .onlyLeft ? "left" : "right" },
                    counts: table.counts,
                    rows: table.examples.map { row in
                        Row(
                            kind: row.kind,
                            left: row.left.flatMap { named($0, table.plan) },
                            right: row.right.flatMap { named($0, table.plan) },
                            copies: row.copies
                        )
                    }
                )
            },
            schema: found.schema.map { object in
                Object(
                    kind: object.kind,
                    name: object.name,
                    difference: object.difference,
                    left: object.left?.definition,
                    right: object.right?.definition
                )
            },
            sequences: found.sequences.filter(\.isShared).map {
                Sequence(name: $0.name.description, left: $0.left, right: $0.right)
            },
            notCompared: Dictionary(found.notCompared.map { ($0.name.description, $0.obstacle ?? "") }) { $0 + $1 }
        )
    }

    private static func named(_ values: [String?], _ plan: ComparisonPlan?) -> [String: String?]? {
        guard let plan else { return nil }
        return Dictionary(zip(plan.columns.map(\.name), values).map { ($0, $1) }) { first, _ in first }
    }
}
