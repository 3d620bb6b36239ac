package import ArchiveModel

/// What two databases of one name do not share.
package struct DatabaseDifference: Sendable {
    package struct Table: Sendable {
        package var name: TableName
        /// Nil where only one side has the table.
        package var plan: ComparisonPlan?
        /// The side that has it, where it is one only.
        package var only: RowDifference.Kind?
        package var counts: RowCounts
        /// Some of the rows, as many as were asked for.
        package var examples: [RowDifference] = []
    }

    package struct Sequence: Sendable {
        package var name: TableName
        package var left: String?
        package var right: String?
        /// Both sides have it.
        package var isShared: Bool
    }

    package var database: String
    /// Every table that was compared.
    package var tables: [Table] = []
    package var schema: [SchemaDifference] = []
    package var sequences: [Sequence] = []
    /// Tables whose rows were not, with the reason.
    package var notCompared: [ComparedDatabase.Table] = []

    package var areSame: Bool {
        schema.isEmpty && sequences.isEmpty && tables.allSatisfy { $0.counts.areSame }
    }
}

/// Compares two databases: what the catalogs define, then the rows, table by table.
package struct DatabaseComparison {
    package struct Options: Sendable {
        /// Empty for all.
        package var tables: [TableChoice] = []
        package var withRows = true
        package var examples = 0

        package init() {}
    }

    private let left: ComparedDatabase
    private let right: ComparedDatabase
    private let name: String
    private let options: Options

    package init(_ left: ComparedDatabase, _ right: ComparedDatabase, name: String, _ options: Options) {
        self.left = left
        self.right = right
        self.name = name
        self.options = options
    }

    /// - Parameters:
    ///   - begins: is told of each table before its rows are read.
    ///   - row: is told of each difference of rows, when it is given, and whether one side lacks the whole table.
    package func run(
        begins: (TableName) throws -> Void = { _ in },
        row: ((ComparisonPlan, RowDifference, Bool) throws -> Void)? = nil
    ) throws -> DatabaseDifference {
        var difference = DatabaseDifference(database: name)
        let mine = try left.tables().filter(isWanted)
        let others = try right.tables().filter(isWanted)
        let relations = Set((mine + others).map(\.name.description))
        difference.schema = SchemaDifference.between(
            try left.schemaObjects().filter { isWanted($0, relations) },
            try right.schemaObjects().filter { isWanted($0, relations) }
        )
        if options.tables.isEmpty { difference.sequences = try sequences() }
        guard options.withRows else { return difference }
        let found = Dictionary((mine + others).map { ($0.name, $0) }) { $0.obstacle == nil ? $1 : $0 }
        let names = Array(found.keys).sorted()
        let references = try left.references().merging(try right.references()) { $0.union($1) }
        for name in TableOrder.referredFirst(names, references) {
            if let table = found[name], table.obstacle != nil {
                difference.notCompared.append(table)
                continue
            }
            try begins(name)
            if let table = try compare(name, row) { difference.tables.append(table) }
        }
        difference.tables.sort { $0.name < $1.name }
        return difference
    }

    private func isWanted(_ table: ComparedDatabase.Table) -> Bool {
        options.tables.isEmpty || options.tables.contains { $0.matches(table.name, in: name) }
    }

    private func isWanted(_ object: SchemaObject, _ relations: Set<String>) -> Bool {
        options.tables.isEmpty || object.parent.map { relations.contains($0) } ?? false
    }

    private func compare(
        _ name: TableName,
        _ row: ((ComparisonPlan, RowDifference, Bool) throws -> Void)?
    ) throws -> DatabaseDifference.Table? {
        let shapes = (try left.shape(of: name), try right.shape(of: name))
        guard let shape = shapes.0 ?? shapes.1 else { return nil }
        let plan = ComparisonPlan(shapes.0 ?? shape, shapes.1 ?? shape)
        var examples: [RowDifference] = []
        let visit = { (difference: RowDifference) in
            if examples.count < options.examples { examples.append(difference) }
            try row?(plan, difference, shapes.0 == nil || shapes.1 == nil)
        }
        let isAsked = row != nil || options.examples > 0
        var table = DatabaseDifference.Table(name: name, plan: plan, counts: RowCounts())
        if shapes.0 != nil, shapes.1 != nil {
            table.counts = try TableComparison(
                left,
                right,
                plan,
                wanted: isAsked ? Set(RowDifference.Kind.allCases) : [],
                visit: visit
            ).run()
        } else {
            let isLeft = shapes.0 != nil
            table.only = isLeft ? .onlyLeft : .onlyRight
            table.counts = try all(plan, isLeft: isLeft, visit: isAsked ? visit : nil)
        }
        table.examples = examples
        return table
    }

    /// The rows of a table that the other side lacks.
    private func all(
        _ plan: ComparisonPlan,
        isLeft: Bool,
        visit: ((RowDifference) throws -> Void)?
    ) throws -> RowCounts {
        let server = isLeft ? left : right
        let side = isLeft ? plan.left : plan.right
        var counts = RowCounts()
        if let visit {
            let stream = try RowStream(server, plan.allRows(side))
            defer { stream.close() }
            while let values = try stream.raw() {
                counts.add(isLeft ? .onlyLeft : .onlyRight, 1)
                try visit(
                    RowDifference(
                        isLeft ? .onlyLeft : .onlyRight,
                        left: isLeft ? values : nil,
                        right: isLeft ? nil : values
                    )
                )
            }
        } else {
            let rows = try server.query(plan.count(side)).first?.first ?? nil
            counts.add(isLeft ? .onlyLeft : .onlyRight, rows.flatMap { Int($0) } ?? 0)
        }
        if isLeft { counts.left = counts.onlyLeft } else { counts.right = counts.onlyRight }
        return counts
    }

    /// A standby's sequences are up to 32 values ahead: so many are written to WAL at a time.
    private func sequences() throws -> [DatabaseDifference.Sequence] {
        let mine = try left.sequences()
        let others = try right.sequences()
        return Set(mine.keys).union(others.keys).sorted().compactMap { name in
            guard let one = mine[name], let other = others[name] else {
                return DatabaseDifference.Sequence(
                    name: name,
                    left: mine[name]?.value,
                    right: others[name]?.value,
                    isShared: false
                )
            }
            if one.value == other.value { return nil }
            if let first = one.value.flatMap({ Int64($0) }), let second = other.value.flatMap({ Int64($0) }) {
                let distance = second.subtractingReportingOverflow(first)
                let slack = one.increment.multipliedReportingOverflow(by: 33)
                if !distance.overflow, !slack.overflow, distance.partialValue.magnitude < slack.partialValue.magnitude {
                    return nil
                }
            }
            return DatabaseDifference.Sequence(name: name, left: one.value, right: other.value, isShared: true)
        }
    }
}

extension ComparedDatabase {
    fileprivate func sequences() throws -> [TableName: (value: String?, increment: Int64)] {
        let rows = try query(
            "SELECT schemaname, sequencename, last_value, increment_by FROM pg_sequences WHERE schemaname !~ '^pg_'"
        )
        return Dictionary(
            rows.map { row in
                (TableName(row[0] ?? "", row[1] ?? ""), (value: row[2], increment: row[3].flatMap { Int64($0) } ?? 1))
            }
        ) { first, _ in first }
    }

    /// Each table with those that its foreign keys refer to.
    fileprivate func references() throws -> [TableName: Set<TableName>] {
        let rows = try query(
            """
            SELECT n.nspname, c.relname, m.nspname, f.relname FROM pg_constraint k
            JOIN pg_class c ON c.oid = k.conrelid JOIN pg_namespace n ON n.oid = c.relnamespace
            JOIN pg_class f ON f.oid = k.confrelid JOIN pg_namespace m ON m.oid = f.relnamespace
            WHERE k.contype = 'f'
            """
        )
        var references: [TableName: Set<TableName>] = [:]
        for row in rows {
            references[TableName(row[0] ?? "", row[1] ?? ""), default: []].insert(TableName(row[2] ?? "", row[3] ?? ""))
        }
        return references
    }
}
