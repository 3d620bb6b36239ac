/// Simple patterns as a shell has them for names: `*`, `?`, `[abc]`, `[a-z]`, `[!a]`.
package enum Glob {
    /// Whether it is more than a name.
    package static func isPattern(_ text: String) -> Bool { text.contains { "*?[".contains($0) } }

    package static func matches(_ pattern: String, _ name: String) -> Bool {
        matches(Array(pattern.unicodeScalars)[...], Array(name.unicodeScalars)[...])
    }

    private static func matches(_ pattern: ArraySlice<Unicode.Scalar>, _ name: ArraySlice<Unicode.Scalar>) -> Bool {
        var pattern = pattern
        var name = name
        // Where to go on when what follows the last star does not fit: one character further.
        var retry: (pattern: ArraySlice<Unicode.Scalar>, name: ArraySlice<Unicode.Scalar>)?
        while true {
            if pattern.first == "*" {
                pattern = pattern.dropFirst()
                retry = (pattern, name)
            } else if let rest = step(pattern, name) {
                pattern = rest
                name = name.dropFirst()
            } else if pattern.isEmpty, name.isEmpty {
                return true
            } else if let (after, from) = retry, !from.isEmpty {
                retry = (after, from.dropFirst())
                pattern = after
                name = from.dropFirst()
            } else {
                return false
            }
        }
    }

    /// The pattern after its first element, when that fits the first character.
    private static func step(
        _ pattern: ArraySlice<Unicode.Scalar>,
        _ name: ArraySlice<Unicode.Scalar>
    ) -> ArraySlice<Unicode.Scalar>? {
        guard let element = pattern.first, let character = name.first else { return nil }
        switch element {
        case "?": return pattern.dropFirst()
        case "[":
            guard let (fits, rest) = bracket(pattern.dropFirst(), character) else {
                return character == "[" ? pattern.dropFirst() : nil
            }
            return fits ? rest : nil
        default: return element == character ? pattern.dropFirst() : nil
        }
    }

    private static func bracket(
        _ pattern: ArraySlice<Unicode.Scalar>,
        _ character: Unicode.Scalar
    ) -> (fits: Bool, rest: ArraySlice<Unicode.Scalar>)? {
        var rest = pattern
        let negated = rest.first == "!" || rest.first == "^"
        if negated { rest = rest.dropFirst() }
        var fits = false
        var isFirst = true
        while let low = rest.first {
            if low == "]", !isFirst { return (fits != negated, rest.dropFirst()) }
            isFirst = false
            rest = rest.dropFirst()
            if rest.first == "-", let high = rest.dropFirst().first, high != "]" {
                fits = fits || (low <= character && character <= high)
                rest = rest.dropFirst(2)
            } else {
                fits = fits || low == character
            }
        }
        return nil
    }
}
