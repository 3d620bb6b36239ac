/// The name of a table, or of another relation, with its schema.
package struct SQLName: Hashable, Codable, Sendable, CustomStringConvertible {
    package var schema: String
    package var name: String

    package init(schema: String, name: String) {
        self.schema = schema
        self.name = name
    }

    /// For statements.
    package var quoted: String { SQLName.identifier(schema) + "." + SQLName.identifier(name) }
    /// For people.
    package var description: String { "\(schema).\(name)" }

    package static func identifier(_ name: String) -> String {
        "\"" + name.replacing("\"", with: "\"\"") + "\""
    }

    package static func literal(_ text: String) -> String {
        let quoted = text.replacing("'", with: "''")
        return text.contains("\\") ? "E'" + quoted.replacing("\\", with: "\\\\") + "'" : "'\(quoted)'"
    }

    /// A name for what belongs to a table, for when that is called otherwise: with `orders` as `old`, `orders_pkey` is
    /// `old_pkey`.
    package func renamed(from table: String, to other: String) -> SQLName {
        let renamed = name.hasPrefix(table) ? other + name.dropFirst(table.count) : "\(name)_\(other)"
        return SQLName(schema: schema, name: Self.fitting(renamed))
    }

    /// PostgreSQL's names have 63 bytes at most; the end, which tells them apart, stays.
    package static func fitting(_ name: String) -> String {
        let limit = 63
        guard name.utf8.count > limit else { return name }
        var end = Substring(name)
        while end.utf8.count > limit { end.removeFirst() }
        return String(end)
    }
}
