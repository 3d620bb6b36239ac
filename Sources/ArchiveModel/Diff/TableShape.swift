/// A table as one server has it: what a comparison of its rows must know.
package struct TableShape: Hashable, Sendable {
    package struct Column: Hashable, Sendable {
        package var name: String
        /// With its modifiers, as `format_type` says it.
        package var type: String
        /// Equal texts on two servers: their values are ordered alike, and an index on them can be trusted.
        ///
        /// Nil where this is not known: a type of somebody else's, a collation of another library's version.
        package var order: String?
        package var isGenerated: Bool
        /// Takes values only with OVERRIDING SYSTEM VALUE.
        package var isAlwaysIdentity: Bool

        package init(
            name: String,
            type: String,
            order: String?,
            isGenerated: Bool = false,
            isAlwaysIdentity: Bool = false
        ) {
            self.name = name
            self.type = type
            self.order = order
            self.isGenerated = isGenerated
            self.isAlwaysIdentity = isAlwaysIdentity
        }
    }

    package var name: TableName
    package var columns: [Column]
    /// The primary key, or another unique one without nulls; empty where there is none.
    package var key: [String]
    package var isPartitioned: Bool
    package var bytes: UInt64
    /// The server's encoding of this database.
    package var encoding: String

    package init(
        name: TableName,
        columns: [Column],
        key: [String],
        isPartitioned: Bool = false,
        bytes: UInt64 = 0,
        encoding: String = "UTF8"
    ) {
        self.name = name
        self.columns = columns
        self.key = key
        self.isPartitioned = isPartitioned
        self.bytes = bytes
        self.encoding = encoding
    }
}
