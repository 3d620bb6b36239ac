/// Tables in a Markdown page.
enum Table {
    /// The cells of every row, without the spaces around them; headings and rulers are left out.
    static func rows(of page: SourceFile) -> [[String]] {
        let lines = page.lines + [""]
        return zip(lines, lines.dropFirst()).filter { line, next in
            line.hasPrefix("|") && !isRuler(line) && !isRuler(next)
        }.map { line, _ in
            line.dropFirst().split(separator: "|", omittingEmptySubsequences: false).map(trimmed)
        }
    }

    private static func isRuler(_ line: String) -> Bool {
        line.hasPrefix("|-") && line.allSatisfy { "|-: ".contains($0) }
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
