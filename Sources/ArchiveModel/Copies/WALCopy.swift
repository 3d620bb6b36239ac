package import WALFormat

/// A place where each completed segment goes besides the archive (`[[wal.copy]]`).
package struct WALCopy: Hashable, Sendable, Codable {
    package var name: String
    /// A shell command with `%p` for the file's path, `%f` for its name, `%d` for `destination`, `%%` for a `%`.
    package var program: String
    package var destination: String

    package init(name: String, program: String, destination: String = "") {
        self.name = name
        self.program = program
        self.destination = destination
    }

    /// The command for one file, as `/bin/sh -c` gets it.
    package func command(path: String, file: String) -> String {
        Self.substituted(program, ["p": path, "f": file, "d": destination])
    }

    /// `text` with the values for its `%` letters; an unknown letter stays as it is.
    package static func substituted(_ text: String, _ values: [Character: String]) -> String {
        var result = ""
        var rest = text[...]
        while let first = rest.popFirst() {
            guard first == "%", let letter = rest.first else {
                result.append(first)
                continue
            }
            if letter == "%" {
                result.append("%")
                rest.removeFirst()
            } else if let value = values[letter] {
                result += value
                rest.removeFirst()
            } else {
                result.append("%")
            }
        }
        return result
    }
}

/// Which files a copy still has to take, in which order.
package enum CopyOrder {
    /// Histories before all, the rest by name, which is by timeline and age.
    ///
    /// - Parameters:
    ///   - present: what the archive has: names as PostgreSQL knows them, without a compression's suffix.
    ///   - done: what the copy has taken.
    package static func pending(present: some Sequence<String>, done: Set<String>) -> [String] {
        let rest = present.filter { !done.contains($0) }
        let histories = rest.filter { $0.hasSuffix(".history") }.sorted()
        return histories + rest.filter { !$0.hasSuffix(".history") }.sorted()
    }
}

/// How a copy is doing (`run/copy-NAME.json`).
package struct CopyStatus: Hashable, Sendable, Codable {
    package enum State: String, Sendable, Codable {
        /// All is copied.
        case idle
        case copying
        /// The program failed; it is tried again.
        case failing
    }

    package var state: State
    /// What is copied now, or is tried again.
    package var file: String?
    /// Files that are not copied yet, this one with them.
    package var waiting: Int
    package var failures: Int
    package var reason: String?
    package var lastDone: String?
    package var changedAt: PostgresTime

    package init(
        state: State,
        file: String? = nil,
        waiting: Int = 0,
        failures: Int = 0,
        reason: String? = nil,
        lastDone: String? = nil,
        changedAt: PostgresTime
    ) {
        self.state = state
        self.file = file
        self.waiting = waiting
        self.failures = failures
        self.reason = reason
        self.lastDone = lastDone
        self.changedAt = changedAt
    }
}
