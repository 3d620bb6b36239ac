package import WALFormat

/// Why something that should be served is not; unlike "not there" it needs somebody's attention.
package struct FetchTrouble: Error, Hashable, Sendable, CustomStringConvertible {
    package enum Kind: String, Hashable, Sendable {
        /// A complete segment is not valid WAL.
        case corrupt
        /// Replay would create a tablespace at a path outside of the container.
        case tablespace
        /// Not in the archive, but needed, or later ones are there.
        case missing
        /// The archive's copy does not reach the position that is wanted.
        case short
        /// The position to stop at lies inside of a record.
        case badLimit
        /// The archive, or the place to write to, cannot be used.
        case system
    }

    package let kind: Kind
    /// What PostgreSQL asked for.
    package let name: String
    package let position: LSN?
    package let text: String
    package let hint: String
    /// For `tablespace`.
    package let tablespace: Tablespace?

    package struct Tablespace: Hashable, Sendable {
        package let oid: UInt32
        package let path: String
    }

    init(
        _ kind: Kind,
        _ name: String,
        at position: LSN? = nil,
        _ text: String,
        hint: String,
        tablespace: Tablespace? = nil
    ) {
        self.kind = kind
        self.name = name
        self.position = position
        self.text = text
        self.hint = hint
        self.tablespace = tablespace
    }

    package var description: String { text }

    func tell(_ report: (String) -> Void) {
        report("error: \(text)")
        report("hint: \(hint)")
    }

    /// Whether another look in a moment may find it gone.
    var mayPass: Bool {
        switch kind {
        case .missing, .short, .system: true
        case .corrupt, .tablespace, .badLimit: false
        }
    }
}

/// The hold file: says to `status` why the standby stands still.
extension FetchTrouble {
    /// One JSON object: kind, segment, lsn, text, hint, for a tablespace oid and path; and the process that was held.
    package func json(process: Int32) -> String {
        var fields = [("kind", quoted(kind.rawValue)), ("segment", quoted(name))]
        if let position { fields.append(("lsn", quoted(position.description))) }
        fields += [("text", quoted(text)), ("hint", quoted(hint))]
        if let tablespace {
            fields += [("oid", String(tablespace.oid)), ("path", quoted(tablespace.path))]
        }
        fields.append(("process", String(process)))
        return "{" + fields.map { "\(quoted($0)):\($1)" }.joined(separator: ",") + "}\n"
    }

    private func quoted(_ text: String) -> String {
        var result = "\""
        for scalar in text.unicodeScalars {
            switch scalar {
            case "\"": result += "\\\""
            case "\\": result += "\\\\"
            case "\u{0}"..<" ":
                let digits = String(scalar.value, radix: 16)
                result += "\\u" + String(repeating: "0", count: 4 - digits.count) + digits
            default: result.unicodeScalars.append(scalar)
            }
        }
        return result + "\""
    }
}
