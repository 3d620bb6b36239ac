/// What is to be undone.
package enum UndoKind: String, Codable, Sendable, CaseIterable {
    case drop
    case truncate
    case delete

    /// The events that are this.
    package var event: String { self == .delete ? "mass-delete" : rawValue }
    package var past: String {
        switch self {
        case .drop: "dropped"
        case .truncate: "truncated"
        case .delete: "deleted"
        }
    }
}

/// What is taken from the moment before a mistake, and how it is put back.
package struct UndoPlan: Codable, Hashable, Sendable {
    package var kind: UndoKind
    package var database: String
    /// In the order in which they are put back.
    package var tables: [UndoTable]
    package var foreignKeys: [UndoForeignKey] = []
    /// Statements for indexes that were dropped without their table.
    package var indexes: [String] = []
    /// Schemas with their owners, which may be gone too.
    package var schemas: [UndoSchema] = []
    /// What a user should know of it.
    package var remarks: [String] = []

    package init(kind: UndoKind, database: String, tables: [UndoTable]) {
        self.kind = kind
        self.database = database
        self.tables = tables
    }

    package var rows: UInt64 { tables.reduce(0) { $0 &+ ($1.rows ?? 0) } }
}

package struct UndoSchema: Codable, Hashable, Sendable {
    package var name: String
    package var owner: String

    package init(name: String, owner: String) {
        self.name = name
        self.owner = owner
    }
}

/// A table, or another relation, of which something is put back.
package struct UndoTable: Codable, Hashable, Sendable {
    package struct Column: Codable, Hashable, Sendable {
        package var name: String
        /// As a statement names it.
        package var type: String

        package init(name: String, type: String) {
            self.name = name
            self.type = type
        }
    }

    package struct Sequence: Codable, Hashable, Sendable {
        package var name: TableName
        package var last: Int64
        package var increment: Int64

        package init(name: TableName, last: Int64, increment: Int64) {
            self.name = name
            self.last = last
            self.increment = increment
        }
    }

    package var relation: UInt32
    /// As it was.
    package var was: TableName
    /// As it is put back.
    package var name: TableName
    /// pg_class's letter.
    package var kind: String
    /// Rows to put back; nil for what has none of its own.
    package var rows: UInt64?
    /// Rows that the table had; nil where they were not counted.
    package var total: UInt64?
    /// Without generated ones.
    package var columns: [Column] = []
    /// By which a row is known; empty where there is no such key.
    package var key: [String] = []
    /// A constraint keeps ON CONFLICT from being used.
    package var hasDeferrableKey = false
    package var sequences: [Sequence] = []
    /// Rows by a condition on the moment before; nil for all.
    package var condition: String?
    /// Rows that the transaction touched, but did not delete, are among them, and are known by their keys afterwards.
    package var hasOthers = false

    package init(relation: UInt32, was: TableName, name: TableName? = nil, kind: String) {
        self.relation = relation
        self.was = was
        self.name = name ?? was
        self.kind = kind
    }

    package var isPartitioned: Bool { kind == "p" }
    /// Has rows in files of its own.
    package var holdsRows: Bool { kind == "r" }

    package var what: String {
        switch kind {
        case "v": "view"
        case "m": "materialized view"
        case "S": "sequence"
        case "p": "partitioned table"
        case "f": "foreign table"
        default: "table"
        }
    }
}

/// A foreign key that went with a table.
package struct UndoForeignKey: Codable, Hashable, Sendable {
    package var name: String
    package var table: TableName
    package var references: TableName
    /// As `pg_get_constraintdef` gives it.
    package var definition: String
    /// Of another table, which is still there: it was lost with CASCADE.
    package var isOfOther: Bool
    package var comment: String?

    package init(
        name: String,
        table: TableName,
        references: TableName,
        definition: String,
        isOfOther: Bool,
        comment: String? = nil
    ) {
        self.name = name
        self.table = table
        self.references = references
        self.definition = definition
        self.isOfOther = isOfOther
        self.comment = comment
    }
}
