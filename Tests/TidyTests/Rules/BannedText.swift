/// Code that has a better replacement in this project.
enum BannedText {
    struct Ban: Sendable {
        let text: String
        let instead: String
        /// Which files it applies to.
        var applies: @Sendable (String) -> Bool = { _ in true }
    }

    static let bans: [Ban] = [
        Ban(text: "fork()", instead: "ProcessSpawn: between fork and exec Swift's runtime is not safe"),
        Ban(text: "try!", instead: "throw, or #require in a test"),
        Ban(text: "as!", instead: "as? with a reason when it fails"),
        Ban(text: "fatalError(", instead: "an error; a trap in the receiver is an outage"),
        Ban(text: ".localizedDescription", instead: "the error's own type: decide by errno, SQLSTATE, case"),
        Ban(text: "errorDescription", instead: "ArchiveError's what and hint"),
        Ban(text: "FileManager", instead: "FileTree and DurableFile", applies: isShipped),
        Ban(
            text: ".write(to:",
            instead: "DurableFile.replace: temp file, fsync, rename, fsync of the directory",
            applies: isShipped
        ),
        Ban(text: "DispatchQueue", instead: "OwnedThread"),
        Ban(text: "Task.sleep", instead: "waiting for a condition with a deadline"),
        Ban(text: "Task.detached", instead: "OwnedThread"),
        Ban(text: "Thread.sleep", instead: "Poll.wait, or waiting for a condition with a deadline"),
        Ban(text: "popen(", instead: "ProcessSpawn.run"),
        Ban(
            text: "sleep(",
            instead: "waiting for a condition with a deadline",
            applies: { $0.hasPrefix("Tests/") }
        ),
        Ban(
            text: "usleep(",
            instead: "Poll.wait, or waiting for a condition with a deadline",
            applies: { $0.hasPrefix("Tests/") || isShipped($0) && !$0.hasPrefix("Sources/Platform/") }
        ),
        Ban(text: "print(", instead: "returning values; only commands write to the terminal", applies: isLibrary),
        Ban(text: "exit(", instead: "throwing ArchiveError", applies: isLibrary),
        Ban(text: "await", instead: "plain blocking code on an OwnedThread", applies: isShipped),
        Ban(text: "async", instead: "plain blocking code on an OwnedThread", applies: isShipped),
        Ban(text: "actor", instead: "Mutex", applies: isShipped),
    ]

    /// In any file, comments and prose included.
    static let unfinished = ["TO" + "DO", "FIX" + "ME", "XX" + "X:", "HA" + "CK:", "<<<<" + "<<<", ">>>>" + ">>>"]

    static func findings(in tree: SourceTree) -> [Finding] {
        tree.swift.flatMap(banned) + tree.files.flatMap(unfinished)
    }

    private static func banned(in file: SourceFile) -> [Finding] {
        let active = bans.filter { $0.applies(file.path) }
        return file.code.enumerated().flatMap { number, line in
            active.filter { contains(line, $0.text) }.map {
                Finding(path: file.path, line: number + 1, what: "'\($0.text)': use \($0.instead)")
            }
        }
    }

    private static func unfinished(in file: SourceFile) -> [Finding] {
        file.lines.enumerated().flatMap { number, line in
            unfinished.filter { contains(line, $0) }.map {
                Finding(path: file.path, line: number + 1, what: "'\($0)': finish it, or file it as an issue")
            }
        }
    }

    /// Whether `text` stands in the line as a word: `_exit(` and `vfork(` are not `exit(` and `fork(`.
    static func contains(_ line: String, _ text: String) -> Bool {
        let line = Array(line.utf8)
        let text = Array(text.utf8)
        guard let first = text.first, let last = text.last, line.count >= text.count else { return false }
        for start in 0...(line.count - text.count) where line[start...].starts(with: text) {
            let end = start + text.count
            let opens = !isWord(first) || start == 0 || !isWord(line[start - 1])
            let closes = !isWord(last) || end == line.count || !isWord(line[end])
            if opens && closes { return true }
        }
        return false
    }

    private static func isWord(_ byte: UInt8) -> Bool {
        switch byte {
        case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "A")...UInt8(ascii: "Z"): true
        case UInt8(ascii: "0")...UInt8(ascii: "9"), UInt8(ascii: "_"): true
        default: false
        }
    }

    /// All but tests, and what only they use.
    @Sendable private static func isShipped(_ path: String) -> Bool {
        path.hasPrefix("Sources/") && !path.hasPrefix("Sources/ArchiveTesting/")
    }

    @Sendable private static func isLibrary(_ path: String) -> Bool {
        path.hasPrefix("Sources/") && !path.hasPrefix("Sources/pgarchive/") && !path.hasPrefix("Sources/pgarchive-wal/")
    }
}
