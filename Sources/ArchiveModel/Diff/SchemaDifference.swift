/// Something that a database's catalogs define, with what makes and removes it.
package struct SchemaObject: Hashable, Sendable {
    /// In the order in which they are made.
    package enum Kind: String, CaseIterable, Codable, Sendable {
        case schema
        case `extension`
        case type
        case function
        case sequence
        case table
        case partition
        case column
        case constraint
        case foreignKey = "foreign key"
        case index
        case view
        case rule
        case trigger
        case policy
        case owner
        case grant
    }

    package var kind: Kind
    /// The relation that it goes with; nil for what stands alone.
    package var parent: String?
    package var name: String
    /// Equal on two servers: the same.
    package var definition: String
    package var create: String
    package var drop: String
    /// Makes it so where it is there already; nil where it is dropped and made anew.
    package var change: String?

    package init(
        _ kind: Kind,
        parent: String? = nil,
        name: String,
        definition: String,
        create: String,
        drop: String,
        change: String? = nil
    ) {
        self.kind = kind
        self.parent = parent
        self.name = name
        self.definition = definition
        self.create = create
        self.drop = drop
        self.change = change
    }
}

/// An object that two databases do not share, or not alike.
package struct SchemaDifference: Hashable, Sendable {
    package var left: SchemaObject?
    package var right: SchemaObject?

    package var kind: SchemaObject.Kind { left?.kind ?? right?.kind ?? .table }
    package var name: String { left?.name ?? right?.name ?? "" }

    package var difference: RowDifference.Kind {
        right == nil ? .onlyLeft : left == nil ? .onlyRight : .changed
    }

    /// Names are compared as PostgreSQL does, by bytes: letters that look alike may be others.
    private struct Identity: Hashable, Comparable {
        let kind: SchemaObject.Kind
        let name: Bytes

        init(_ object: SchemaObject) {
            kind = object.kind
            name = Bytes(object.name)
        }

        private var order: Int { SchemaObject.Kind.allCases.firstIndex(of: kind) ?? 0 }

        static func < (left: Identity, right: Identity) -> Bool {
            left.order == right.order
                ? left.name.bytes.lexicographicallyPrecedes(right.name.bytes) : left.order < right.order
        }
    }

    /// What differs, in the order in which it is made; what goes with a relation of one side only is not said again.
    package static func between(_ left: [SchemaObject], _ right: [SchemaObject]) -> [SchemaDifference] {
        let mine = Dictionary(left.map { (Identity($0), $0) }) { first, _ in first }
        let others = Dictionary(right.map { (Identity($0), $0) }) { first, _ in first }
        let all = Set(mine.keys).union(others.keys).sorted()
        let differences = all.compactMap { key -> SchemaDifference? in
            let found = SchemaDifference(left: mine[key], right: others[key])
            return found.left.map { Bytes($0.definition) } == found.right.map { Bytes($0.definition) } ? nil : found
        }
        let relations: Set<SchemaObject.Kind> = [.table, .partition, .view, .sequence]
        let alone = Set(
            differences.filter { relations.contains($0.kind) && $0.difference != .changed }.map { Bytes($0.name) }
        )
        return differences.map { difference in
            var difference = difference
            let parent = difference.left?.parent ?? difference.right?.parent
            if let parent = parent.map({ Bytes($0) }), alone.contains(parent),
                parent != Bytes(difference.name) || difference.kind == .owner
            {
                difference.isImplied = true
            }
            return difference
        }
    }

    /// It comes and goes with its relation.
    package var isImplied = false

    // MARK: - As SQL

    /// What turns the left database into the right one, before the rows are dealt with, and after.
    ///
    /// Columns and tables come first; what checks or speeds up, after the rows.
    package static func statements(_ differences: [SchemaDifference]) -> (before: [String], after: [String]) {
        var before: [String] = []
        for difference in differences.reversed() {
            guard let old = difference.left else { continue }
            let isReplaced = difference.right != nil && difference.right?.change == nil
            if difference.right == nil && !difference.isImplied || isReplaced { before.append(old.drop) }
        }
        var after: [String] = []
        for difference in differences {
            guard let new = difference.right else { continue }
            // A new table is made with its columns.
            if new.kind == .column, difference.isImplied { continue }
            let statement = difference.left == nil ? new.create : new.change ?? new.create
            if [.constraint, .foreignKey, .index, .trigger, .rule, .policy, .grant, .owner].contains(new.kind) {
                after.append(statement)
            } else {
                before.append(statement)
            }
        }
        return (before.filter { !$0.isEmpty }, after.filter { !$0.isEmpty })
    }

    /// The same the other way round.
    package var reversed: SchemaDifference {
        SchemaDifference(left: right, right: left, isImplied: isImplied)
    }
}

/// A text that is equal only to one of the same bytes.
private struct Bytes: Hashable {
    let bytes: [UInt8]

    init(_ text: String) { bytes = Array(text.utf8) }
}
