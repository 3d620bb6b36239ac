import Synchronization

/// Paths as text: the few operations that are needed, without touching the disk.
package enum FilePath {
    package static func join(_ directory: String, _ name: String) -> String {
        directory.hasSuffix("/") ? directory + name : "\(directory)/\(name)"
    }

    /// Everything before the last component; "." for a bare name, "/" for the root.
    package static func parent(of path: String) -> String {
        let trimmed = trimmed(path)
        guard let slash = trimmed.lastIndex(of: "/") else { return "." }
        return slash == trimmed.startIndex ? "/" : trimmedText(trimmed[..<slash])
    }

    /// The last component.
    package static func name(of path: String) -> String {
        let trimmed = trimmed(path)
        guard trimmed != "/", let slash = trimmed.lastIndex(of: "/") else { return String(trimmed) }
        return String(trimmed[trimmed.index(after: slash)...])
    }

    private static func trimmed(_ path: String) -> Substring {
        var rest = path[...]
        while rest.count > 1, rest.last == "/" { rest.removeLast() }
        return rest
    }

    private static func trimmedText(_ path: Substring) -> String { String(trimmed(String(path))) }
}

enum TemporaryCounter {
    private static let counter = Atomic<UInt64>(0)

    static func next() -> UInt64 { counter.add(1, ordering: .relaxed).newValue }
}

extension String {
    /// Where `mark` occurs last.
    ///
    /// Bytewise, so that odd file names cannot confuse it.
    func lastRange(of mark: String) -> Range<String.Index>? {
        let bytes = Array(utf8)
        let wanted = Array(mark.utf8)
        guard !wanted.isEmpty, bytes.count >= wanted.count else { return nil }
        for start in stride(from: bytes.count - wanted.count, through: 0, by: -1)
        where bytes[start..<(start + wanted.count)].elementsEqual(wanted) {
            let lower = utf8.index(utf8.startIndex, offsetBy: start)
            return lower..<utf8.index(lower, offsetBy: wanted.count)
        }
        return nil
    }
}
