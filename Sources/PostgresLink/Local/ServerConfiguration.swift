/// The text of a `postgresql.conf` that is generated whole.
package struct ServerConfiguration: Sendable {
    private var lines: [String] = []

    package init() {}

    /// A line for people; a line break in it starts another comment line.
    package mutating func comment(_ text: String) {
        for line in text.split(separator: "\n", omittingEmptySubsequences: false) {
            lines.append(line.isEmpty ? "#" : "# \(line)")
        }
    }

    package mutating func blank() { lines.append("") }

    /// One setting; `comment` is put behind it.
    package mutating func set(_ name: String, _ value: String, comment: String? = nil) {
        let line = "\(name) = \(Self.quoted(value))"
        lines.append(comment.map { "\(line)  # \($0)" } ?? line)
    }

    package mutating func set(_ settings: [(name: String, value: String)]) {
        for setting in settings { set(setting.name, setting.value) }
    }

    /// Ends with a line break.
    package var text: String { lines.joined(separator: "\n") + "\n" }

    /// A value in the file's quotes.
    ///
    /// Line breaks cannot stand there (PostgreSQL: guc-file.l); a backslash would start an escape, so it is doubled.
    package static func quoted(_ value: String) -> String {
        var quoted = "'"
        for scalar in value.unicodeScalars {
            switch scalar {
            case "'": quoted += "''"
            case "\\": quoted += "\\\\"
            case "\n": quoted += "\\n"
            case "\r": quoted += "\\r"
            case "\t": quoted += "\\t"
            default: quoted.unicodeScalars.append(scalar)
            }
        }
        return quoted + "'"
    }
}
