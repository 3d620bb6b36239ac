/// The grammar of container, snapshot and clone names: `[a-z0-9][a-z0-9_.-]{0,47}`.
package enum Name {
    package static let longest = 48

    /// The reason why a name cannot be used, or nil when it can.
    package static func fault(_ name: String) -> String? {
        guard let first = name.utf8.first else { return "a name cannot be empty" }
        if name.utf8.count > longest { return "a name has at most \(longest) characters" }
        if !isLowerOrDigit(first) { return "a name begins with a-z or 0-9" }
        if let bad = name.unicodeScalars.first(where: { !isAllowed($0) }) {
            return "the character \(bad.escaped(asASCII: true)) cannot stand in a name"
        }
        return nil
    }

    /// Checks a name that a user gave.
    package static func check(_ name: String, what: String) throws {
        guard let fault = fault(name) else { return }
        throw ArchiveError(
            .usage,
            "'\(name)' is not a \(what)'s name: \(fault)",
            hint: "use a-z, 0-9, '_', '.' and '-', at most \(longest) characters, e.g. 'before-upgrade'"
        )
    }

    /// Beside the containers, `pools` holds the images of those that have one.
    package static func checkContainer(_ name: String) throws {
        try check(name, what: "container")
        guard name == "pools" else { return }
        throw ArchiveError(
            .usage,
            "no container can be named 'pools': that is where the pools' images lie",
            hint: "choose another name"
        )
    }

    private static func isAllowed(_ scalar: Unicode.Scalar) -> Bool {
        guard scalar.isASCII else { return false }
        let byte = UInt8(truncatingIfNeeded: scalar.value)
        return isLowerOrDigit(byte) || byte == 0x5F || byte == 0x2E || byte == 0x2D
    }

    private static func isLowerOrDigit(_ byte: UInt8) -> Bool {
        (0x61...0x7A).contains(byte) || (0x30...0x39).contains(byte)
    }
}
