/// Tables in a Markdown page.
enum Table {
    /// The cells of every row, headings and rulers included, without the spaces around them.
    static func rows(of page: SourceFile) -> [[String]] {
        page.lines.filter { $0.hasPrefix("|") }.map { line in
            line.dropFirst().split(separator: "|", omittingEmptySubsequences: false).map(trimmed)
        }
    }

    /// `name` → name, when that is all the cell says.
    static func code(_ cell: String) -> String? {
        guard cell.count > 2, cell.hasPrefix("`"), cell.hasSuffix("`") else { return nil }
        let inner = cell.dropFirst().dropLast()
        return inner.contains("`") ? nil : String(inner)
    }

    private static func trimmed(_ text: Substring) -> String {
        let start = text.drop { $0 == " " }
        guard let last = start.lastIndex(where: { $0 != " " }) else { return "" }
        return String(start[...last])
    }
}
