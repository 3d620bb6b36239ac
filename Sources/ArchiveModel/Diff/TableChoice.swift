/// Which tables are meant by a name as people write it: `orders`, `public.orders`, `shop.orders`, `shop.public.orders`.
package struct TableChoice: Hashable, Sendable {
    package let text: String
    private let parts: [String]

    /// Nil for what is no name.
    package init?(_ text: String) {
        self.text = text
        parts = text.split(separator: ".", omittingEmptySubsequences: false).map { part in
            let isQuoted = part.hasPrefix("\"") && part.hasSuffix("\"") && part.count > 1
            return String(isQuoted ? part.dropFirst().dropLast() : part).lowercased()
        }
        guard (1...3).contains(parts.count), !parts.contains("") else { return nil }
    }

    /// Capitals do not matter; two parts may be a database or a schema, and the table.
    package func matches(_ table: TableName, in database: String) -> Bool {
        let (database, schema, name) = (database.lowercased(), table.schema.lowercased(), table.name.lowercased())
        guard parts.last == name else { return false }
        switch parts.count {
        case 1: return true
        case 2: return parts[0] == schema || parts[0] == database
        default: return parts[0] == database && parts[1] == schema
        }
    }
}

/// The order in which rows are put into tables: those that others refer to come first.
package enum TableOrder {
    /// - Parameter references: each table with those that its foreign keys refer to.
    package static func referredFirst(_ tables: [TableName], _ references: [TableName: Set<TableName>]) -> [TableName] {
        var left = tables
        var placed: Set<TableName> = []
        var order: [TableName] = []
        let known = Set(tables)
        while !left.isEmpty {
            let free = left.filter { table in
                references[table, default: []].allSatisfy { $0 == table || !known.contains($0) || placed.contains($0) }
            }
            // Tables that refer to each other have no order.
            let next = free.isEmpty ? [left[0]] : free
            order += next
            placed.formUnion(next)
            left.removeAll { placed.contains($0) }
        }
        return order
    }
}
