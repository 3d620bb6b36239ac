package import ArchiveModel
import Platform
import TOMLKit

/// Reads and writes `pgarchive.toml`.
package enum SettingsFile {
    private enum Slot: @unchecked Sendable {
        case text(WritableKeyPath<Settings, String>)
        case ingest(WritableKeyPath<Settings, WALIngest>)
        case flag(WritableKeyPath<Settings, Bool>)
        case number(WritableKeyPath<Settings, Int>, ClosedRange<Int>)
        case size(WritableKeyPath<Settings, UInt64>)
        case ports(WritableKeyPath<Settings, ClosedRange<Int>>)
        /// Seconds; an empty text is none.
        case span(WritableKeyPath<Settings, Double?>)
    }

    /// Every key there is; a key that is not here is an error.
    private static let keys: [(name: String, slot: Slot, comment: String)] = [
        (
            "upstream", .text(\.upstream),
            "connection to the upstream for SQL (libpq); PG* variables of a shell are not used"
        ),
        (
            "upstream_repl", .text(\.upstreamReplication),
            "the same for replication; empty: upstream with user=replication"
        ),
        ("slot", .text(\.slot), "the replication slot on the upstream"),
        (
            "wal.ingest", .ingest(\.walIngest),
            "stream: the receiver fetches WAL; push: the upstream's archive_command brings it (see status); both"
        ),
        (
            "wal.synchronous", .flag(\.walSynchronous),
            "true: commits upstream may wait for this archive (synchronous_standby_names)"
        ),
        (
            "wal.restore_program", .text(\.restoreProgram),
            "asked for a segment that is no longer here: %f is its name, %p where to put it; see docs/copies.md"
        ),
        ("standby.shared_buffers", .text(\.standbySharedBuffers), "empty: an eighth of the memory, at most 1GB"),
        (
            "standby.shared_preload_libraries", .text(\.preloadLibraries),
            "libraries without which WAL cannot be replayed; the clones load them too"
        ),
        (
            "snapshot.debt", .size(\.snapshotDebtBytes),
            "snapshot create refuses when a clone had to replay more, and less is possible"
        ),
        (
            "snapshot.ready", .number(\.snapshotReady, 0...100),
            "so many of the newest snapshots are kept ready: clones of their own moment replay nothing"
        ),
        (
            "keep.expire_date", .text(\.expireDate),
            "as date --date understands it: every moment since then stays reachable"
        ),
        ("keep.minimum", .number(\.keepMinimum, 1...10_000), "snapshots that expiry always leaves"),
        ("clone.ports", .ports(\.clonePorts), "ports for new clones, first-last"),
        (
            "clone.shared_buffers", .text(\.cloneSharedBuffers),
            "empty: by the WAL that it replays, at most a twentieth of the memory"
        ),
        (
            "clone.expire_after", .span(\.cloneExpireAfter),
            "e.g. \"7 days\": after that a new clone is removed, unless protected or in use; empty: it stays"
        ),
        (
            "clone.idle_stop", .span(\.cloneIdleStop),
            "a clone that nobody has used for so long is stopped; empty: never"
        ),
    ]

    package static func read(_ path: String) throws -> Settings {
        let text: String
        do {
            text = try FileTree.readText(path)
        } catch {
            throw ArchiveError(.failed, "the settings cannot be read: \(error)", hint: "restore '\(path)'")
        }
        return try parse(text, path: path)
    }

    package static func parse(_ text: String, path: String) throws -> Settings {
        if let line = lineOfBadHeader(text) {
            throw ArchiveError(
                .usage,
                "\(path):\(line): a line that begins with [ has the name of a section, such as [keep]",
                hint: "correct it there; docs/settings.md in share/doc/pgarchive lists all keys"
            )
        }
        let table: TOMLTable
        do {
            table = try TOMLTable(string: text)
        } catch let error as TOMLParseError {
            throw ArchiveError(
                .usage,
                "\(path):\(error.source.begin.line): \(error.description)",
                hint: "the file is TOML: texts stand in quotes, e.g. slot = \"pgarchive_prod\""
            )
        }
        var settings = Settings()
        try apply(table, prefix: "", to: &settings, path: path)
        return settings
    }

    /// The parser ends the process where a table's name does not begin as one (toml++, parse_key): it never sees it.
    private static func lineOfBadHeader(_ text: String) -> Int? {
        var isInString = false
        // Scalars: what follows a bracket may combine with it into one character.
        let lines = text.unicodeScalars.split(omittingEmptySubsequences: false) { Character($0).isNewline }
        for (number, line) in lines.enumerated() {
            let words = line.drop { $0.properties.isWhitespace || $0 == "\u{FEFF}" }
            if !isInString {
                if words.first == "#" { continue }
                if words.first == "[" {
                    let name = words.dropFirst(words.dropFirst().first == "[" ? 2 : 1)
                        .drop(while: \.properties.isWhitespace)
                    guard let first = name.first, isInHeader(first) else { return number + 1 }
                }
            }
            let rest = String(line)
            let marks = rest.ranges(of: "\"\"\"").count + rest.ranges(of: "'''").count
            if marks % 2 == 1 { isInString.toggle() }
        }
        return nil
    }

    /// A bare or quoted name begins, or none is there, which the parser says itself.
    private static func isInHeader(_ scalar: Unicode.Scalar) -> Bool {
        switch scalar {
        case "a"..."z", "A"..."Z", "0"..."9", "-", "_", "\"", "'", "]": true
        default: false
        }
    }

    private static func apply(_ table: TOMLTable, prefix: String, to settings: inout Settings, path: String) throws {
        for key in table.keys {
            let name = prefix + key
            guard let value = table[key] else { continue }
            if name == copiesKey {
                settings.walCopies = try copies(value, path: path)
                continue
            }
            if let section = value.table {
                guard keys.contains(where: { $0.name.hasPrefix(name + ".") }) else { throw unknown(name, path) }
                try apply(section, prefix: name + ".", to: &settings, path: path)
                continue
            }
            guard let entry = keys.first(where: { $0.name == name }) else { throw unknown(name, path) }
            try set(entry.slot, name: name, value: value, in: &settings, path: path)
        }
    }

    /// An array of tables, which stands below all else.
    private static let copiesKey = "wal.copy"

    private static func copies(_ value: any TOMLValueConvertible, path: String) throws -> [WALCopy] {
        func fault(_ what: String) -> ArchiveError {
            ArchiveError(
                .usage,
                "\(path): \(what)",
                hint: "a copy is written as [[wal.copy]] with name, program and dest on lines of their own"
            )
        }
        guard let entries = value.array else { throw fault("wal.copy is a list") }
        var copies: [WALCopy] = []
        for entry in entries {
            guard let table = entry.table else { throw fault("wal.copy is a list of tables") }
            if let unknown = table.keys.first(where: { !["name", "program", "dest"].contains($0) }) {
                throw fault("[[wal.copy]] has no '\(unknown)'")
            }
            guard let name = table["name"]?.string, let program = table["program"]?.string, !program.isEmpty else {
                throw fault("[[wal.copy]] needs a name and a program, both in quotes")
            }
            try Name.check(name, what: "copy")
            if copies.contains(where: { $0.name == name }) { throw fault("two copies are called '\(name)'") }
            copies.append(WALCopy(name: name, program: program, destination: table["dest"]?.string ?? ""))
        }
        return copies
    }

    private static func set(
        _ slot: Slot,
        name: String,
        value: any TOMLValueConvertible,
        in settings: inout Settings,
        path: String
    ) throws {
        func fault(_ wanted: String) -> ArchiveError {
            ArchiveError(
                .usage,
                "\(path): \(name) must be \(wanted)",
                hint: "correct it there; docs/settings.md in share/doc/pgarchive lists all keys"
            )
        }
        switch slot {
        case .text(let key):
            guard let text = value.string else { throw fault("a text in quotes") }
            settings[keyPath: key] = text
        case .ingest(let key):
            guard let ingest = value.string.flatMap({ WALIngest(rawValue: $0) }) else {
                throw fault("\"stream\", \"push\" or \"both\"")
            }
            settings[keyPath: key] = ingest
        case .flag(let key):
            guard let flag = value.bool else { throw fault("true or false") }
            settings[keyPath: key] = flag
        case .number(let key, let range):
            guard let number = value.int, range.contains(number) else {
                throw fault("a number from \(range.lowerBound)")
            }
            settings[keyPath: key] = number
        case .size(let key):
            guard let text = value.string, let bytes = ByteSize.parse(text) else {
                throw fault("a size such as \"256MB\"")
            }
            settings[keyPath: key] = bytes
        case .ports(let key):
            guard let text = value.string, let ports = parsePorts(text) else {
                throw fault("a range such as \"5500-5599\"")
            }
            settings[keyPath: key] = ports
        case .span(let key):
            guard let text = value.string, text.isEmpty || TimeSpan.parse(text) != nil else {
                throw fault("a time such as \"7 days\", or empty")
            }
            settings[keyPath: key] = TimeSpan.parse(text)
        }
    }

    private static func parsePorts(_ text: String) -> ClosedRange<Int>? {
        let parts = text.split(separator: "-", omittingEmptySubsequences: false).map { Int($0) }
        guard let first = parts.first ?? nil, let last = parts.last ?? nil, parts.count <= 2, first <= last,
            first >= 1024, last <= 65_535
        else { return nil }
        return first...last
    }

    private static func unknown(_ name: String, _ path: String) -> ArchiveError {
        let nearest = Spelling.nearest(to: name, among: keys.map(\.name))
        return ArchiveError(
            .usage,
            "\(path): there is no setting '\(name)'",
            hint: nearest.map { "did you mean '\($0)'?" } ?? "there is: \(keys.map(\.name).joined(separator: ", "))"
        )
    }

    /// The whole file with every key, its value and what it means.
    package static func text(_ settings: Settings) -> String {
        var lines = [
            "# Settings of this container. Every key has a default; unknown keys are errors.",
            "# Commands read them anew; what runs takes 'wal_archive stop' and 'start', or 'standby restart'.",
        ]
        var section = ""
        for (name, slot, comment) in keys {
            let parts = name.split(separator: ".")
            if parts.count == 2, parts[0] != section {
                section = String(parts[0])
                lines += ["", "[\(section)]"]
            }
            lines += ["# \(comment)", "\(parts.last ?? "") = \(value(slot, settings))"]
        }
        lines += [
            "", "# Completed segments go elsewhere too, as often as there are such stanzas:", "# [[wal.copy]]",
            "# name = \"tape\"", "# program = \"cp %p %d/%f\"", "# dest = \"/mnt/tape\"",
        ]
        return lines.joined(separator: "\n") + "\n"
    }

    private static func value(_ slot: Slot, _ settings: Settings) -> String {
        switch slot {
        case .text(let key): quoted(settings[keyPath: key])
        case .ingest(let key): quoted(settings[keyPath: key].rawValue)
        case .flag(let key): settings[keyPath: key] ? "true" : "false"
        case .number(let key, _): String(settings[keyPath: key])
        case .size(let key): quoted(ByteSize.exact(settings[keyPath: key]))
        case .ports(let key): quoted("\(settings[keyPath: key].lowerBound)-\(settings[keyPath: key].upperBound)")
        case .span(let key): quoted(settings[keyPath: key].map(TimeSpan.exact) ?? "")
        }
    }

    private static func quoted(_ text: String) -> String {
        var escaped = ""
        for scalar in text.unicodeScalars {
            switch scalar {
            case "\\": escaped += "\\\\"
            case "\"": escaped += "\\\""
            case "\n": escaped += "\\n"
            case "\t": escaped += "\\t"
            default: escaped.unicodeScalars.append(scalar)
            }
        }
        return "\"\(escaped)\""
    }
}
