/// The table in docs/exit-codes.md says what `ErrorCode` says.
enum ExitCodes {
    static let source = "Sources/ArchiveModel/Failure/ErrorCode.swift"
    static let page = "docs/exit-codes.md"

    static func findings(in tree: SourceTree) -> [Finding] {
        guard let source = tree.file(source), let page = tree.file(page) else { return [] }
        let codes = codes(in: source)
        guard !codes.isEmpty else { return [Finding(path: source.path, line: 0, what: "no cases were found")] }
        let rows = rows(in: page)
        var findings: [Finding] = []
        for (number, meaning) in codes.sorted(by: { $0.key < $1.key }) where rows[number] != meaning {
            findings.append(Finding(path: page.path, line: 0, what: "wants the row | \(number) | \(meaning) |"))
        }
        for number in rows.keys.sorted() where number != 0 && codes[number] == nil {
            findings.append(Finding(path: page.path, line: 0, what: "there is no exit code \(number)"))
        }
        return findings
    }

    /// `case refused = 4` joined with `case .refused: "…"`.
    private static func codes(in source: SourceFile) -> [Int: String] {
        var numbers: [Substring: Int] = [:]
        var meanings: [Substring: String] = [:]
        for line in source.lines {
            let words = line.split(separator: " ")
            if words.count == 4, words[0] == "case", words[2] == "=", let number = Int(words[3]) {
                numbers[words[1]] = number
            } else if words.count > 2, words[0] == "case", words[1].hasPrefix("."), words[1].hasSuffix(":") {
                let text = line.split(separator: "\"", maxSplits: 1).last ?? ""
                meanings[words[1].dropFirst().dropLast()] = String(text.dropLast())
            }
        }
        return Dictionary(uniqueKeysWithValues: numbers.map { ($0.value, meanings[$0.key] ?? "") })
    }

    /// The first table of the page: `| code | meaning |`.
    private static func rows(in page: SourceFile) -> [Int: String] {
        var rows: [Int: String] = [:]
        for cells in Table.rows(of: page) where cells.count >= 2 {
            if let number = Int(cells[0]) { rows[number] = cells[1] }
        }
        return rows
    }
}
