/// One entry of a CSV log (PostgreSQL's documentation, "Using CSV-Format Log Output").
package struct ServerLogEntry: Sendable, Hashable {
    package let time: String
    package let pid: Int32
    /// `LOG`, `ERROR`, `FATAL`, …: in English as long as the server runs with `lc_messages = C`.
    package let severity: String
    package let sqlState: String
    package let message: String
    package let detail: String
    package let hint: String

    /// It ended a session, or the server.
    package var isFatal: Bool { severity == "FATAL" || severity == "PANIC" }

    /// For people, on one or more lines.
    package var lines: [String] {
        var lines = ["\(severity): \(message)"]
        if !detail.isEmpty { lines.append("DETAIL: \(detail)") }
        if !hint.isEmpty { lines.append("HINT: \(hint)") }
        return lines
    }

    /// Reads entries; what is none is passed over: a first one cut off at its front, a last one being written.
    package static func parse(_ bytes: [UInt8]) -> [ServerLogEntry] {
        var entries: [ServerLogEntry] = []
        var reader = CSVReader(bytes)
        while let fields = reader.next() {
            if let entry = ServerLogEntry(fields) {
                entries.append(entry)
            } else {
                // Perhaps begun within a quoted field: take up again at the next line.
                reader.restartAtNextLine()
            }
        }
        return entries
    }

    private init?(_ fields: [String]) {
        // 26 fields in 14 to 18; later versions may add some.
        guard fields.count >= 23, let pid = Int32(fields[3]), fields[12].utf8.count == 5 else { return nil }
        time = fields[0]
        self.pid = pid
        severity = fields[11]
        sqlState = fields[12]
        message = fields[13]
        detail = fields[14]
        hint = fields[15]
    }
}

/// Records of comma-separated values with `"` quotes, doubled inside.
private struct CSVReader {
    private let bytes: [UInt8]
    private var position = 0
    private var recordStart = 0

    init(_ bytes: [UInt8]) { self.bytes = bytes }

    /// Nil at the end; a record that the end cuts off is not returned.
    mutating func next() -> [String]? {
        recordStart = position
        var fields: [String] = []
        var field: [UInt8] = []
        var isQuoted = false
        while position < bytes.count {
            let byte = bytes[position]
            position += 1
            switch byte {
            case UInt8(ascii: "\"") where isQuoted && position < bytes.count && bytes[position] == byte:
                field.append(byte)
                position += 1
            case UInt8(ascii: "\""):
                isQuoted.toggle()
            case UInt8(ascii: ",") where !isQuoted:
                fields.append(String(decoding: field, as: UTF8.self))
                field = []
            case UInt8(ascii: "\n") where !isQuoted:
                fields.append(String(decoding: field, as: UTF8.self))
                return fields
            default:
                field.append(byte)
            }
        }
        return fields.count >= 12 || recordStart >= bytes.count ? nil : fields
    }

    mutating func restartAtNextLine() {
        let end = bytes[recordStart...].firstIndex(of: UInt8(ascii: "\n")) ?? bytes.count - 1
        position = end + 1
    }
}
