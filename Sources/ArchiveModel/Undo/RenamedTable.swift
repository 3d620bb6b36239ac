extension TableName {
    /// A name for what belongs to a table, for when that is called otherwise: with `orders` as `old`, `orders_pkey` is
    /// `old_pkey`.
    package func renamed(from table: String, to other: String) -> TableName {
        let renamed = name.hasPrefix(table) ? other + name.dropFirst(table.count) : "\(name)_\(other)"
        return TableName(schema, Self.fitting(renamed))
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
