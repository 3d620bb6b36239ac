/// A table with aligned columns; every list that a person reads is one.
struct TableText {
    enum Alignment {
        case left
        case right
    }

    /// A cell's text with its colour.
    struct Cell: ExpressibleByStringInterpolation {
        enum Tone {
            case plain
            case good
            case bad
            case warning
            case faint
        }

        let text: String
        let tone: Tone

        init(_ text: String, _ tone: Tone = .plain) {
            self.text =
                text.contains { $0.isNewline || $0 == "\t" }
                ? String(text.map { $0.isNewline || $0 == "\t" ? " " : $0 }) : text
            self.tone = tone
        }

        init(stringLiteral value: String) {
            self.init(value)
        }
    }

    private let headers: [String]
    private let alignments: [Alignment]
    private var rows: [[Cell]] = []
    /// Shown instead of a table without rows.
    private let whenEmpty: String

    init(_ columns: [(String, Alignment)], whenEmpty: String) {
        self.headers = columns.map(\.0)
        self.alignments = columns.map(\.1)
        self.whenEmpty = whenEmpty
    }

    /// Cells that are missing stay empty; those beyond the last column are left out.
    mutating func add(_ cells: [Cell]) {
        rows.append(headers.indices.map { $0 < cells.count ? cells[$0] : "" })
    }

    /// The table, each line with its newline.
    func text(_ palette: Palette) -> String {
        guard !rows.isEmpty else { return whenEmpty + "\n" }
        let widths = headers.indices.map { column in
            max(headers[column].count, rows.map { $0[column].text.count }.max() ?? 0)
        }
        let header = headers.map { Cell($0) }
        return
            ([line(header, widths) { palette.bold($0.text) }]
            + rows.map { line($0, widths) { Self.coloured($0, palette) } })
            .map { $0 + "\n" }.joined()
    }

    private func line(_ cells: [Cell], _ widths: [Int], colour: (Cell) -> String) -> String {
        var parts: [String] = []
        for (column, cell) in cells.enumerated() {
            let padding = String(repeating: " ", count: widths[column] - cell.text.count)
            let isLast = column == cells.count - 1
            switch alignments[column] {
            case .left: parts.append(colour(cell) + (isLast ? "" : padding))
            case .right: parts.append(padding + colour(cell))
            }
        }
        var text = parts.joined(separator: "  ")
        while text.hasSuffix(" ") { text.removeLast() }
        return text
    }

    static func coloured(_ cell: Cell, _ palette: Palette) -> String {
        switch cell.tone {
        case .plain: cell.text
        case .good: palette.green(cell.text)
        case .bad: palette.red(cell.text)
        case .warning: palette.yellow(cell.text)
        case .faint: palette.dim(cell.text)
        }
    }
}
