import ArchiveEngine

/// A list that is too long to be held: written while it is made, as lines or as a JSON array with an element a line.
struct LongOutput {
    private let format: OutputFormat
    private var text: String
    private var count = 0

    private static let bufferBytes = 1 << 16

    init(_ render: Render, header: String) {
        format = render.format
        switch format {
        case .json: text = "["
        case .table: text = render.isQuiet ? "" : render.palette.bold(header) + "\n"
        }
    }

    mutating func write(_ element: some Encodable, as line: () -> String) throws {
        switch format {
        case .json: text += (count == 0 ? "\n" : ",\n") + (try JSONFile.line(element))
        case .table: text += line() + "\n"
        }
        count += 1
        if text.utf8.count >= Self.bufferBytes { try flush() }
    }

    /// Writes what is left; also after a failure, so that what was found is seen.
    mutating func end() throws {
        if format == .json { text += "\n]\n" }
        try flush()
    }

    private mutating func flush() throws {
        try StandardOutput.write(text)
        text.removeAll(keepingCapacity: true)
    }
}
