import ArchiveModel
import ArgumentParser
import Glibc

/// This program under the name of pg_receivewal: a link of that name is called by tools that know no other.
///
/// `pg_receivewal …` is `pgarchive wal_archive receive …`, with pg_receivewal's form of errors and its exit codes: 0,
/// and 1 for all else.
enum PgReceivewal {
    static let name = "pg_receivewal"

    /// Whether the program was called by that name.
    static func isMeant(by program: String) -> Bool {
        program.split(separator: "/").last.map(String.init) == name
    }

    /// The newest protocol that is spoken, where others look for pg_receivewal's version: it must not be older than the
    /// server's.
    static var version: String { "\(name) (PostgreSQL) 18.0 (pgarchive \(ProgramVersion.text))" }

    static func run(_ arguments: [String]) -> Int32 {
        signal(SIGPIPE, SIG_IGN)
        let words = words(arguments)
        do {
            if ["-V", "--version"].contains(words.first) {
                try StandardOutput.write(version + "\n")
            } else if ["-?", "--help"].contains(words.first) {
                try StandardOutput.write(help + "\n")
            } else {
                var command = try PgArchive.parseAsRoot(["wal_archive", "receive", "--as-pg-receivewal"] + words)
                try command.run()
            }
            try StandardOutput.finish()
            return 0
        } catch let status as ExitCode {
            return status.rawValue == 0 ? 0 : 1
        } catch {
            let failure = Failure(error)
            let hint = PgArchive.exitCode(for: error) == .validationFailure ? "try \"\(name) --help\"" : failure.hint
            let lines = ["error: \(failure.what)"] + (hint.map { ["hint: \($0)"] } ?? [])
            StandardError.write(lines.map { "\(name): \($0)\n" }.joined())
            return 1
        }
    }

    static var help: String {
        let text = PgArchive.helpMessage(for: WALArchiveReceiveCommand.self, columns: Terminal.columns)
        return GlobalOptions.usageFirst(GlobalOptions.shortened(usage: text))
            .replacing("pgarchive wal_archive receive", with: name)
    }

    // MARK: - Words as getopt_long takes them

    private static let longOptions = [
        "--directory", "--dbname", "--host", "--port", "--username", "--no-password", "--password", "--slot",
        "--create-slot", "--drop-slot", "--if-not-exists", "--endpos", "--no-loop", "--status-interval",
        "--synchronous",
        "--no-sync", "--compress", "--verbose", "--version", "--help",
    ]
    private static let flags: Set<Character> = ["n", "v", "w", "W", "V", "?"]
    private static let optionsWithValue: Set<Character> = ["D", "d", "h", "p", "U", "S", "E", "s", "Z"]

    /// The words as the parser takes them: long options in full, of short ones one to a word.
    static func words(_ arguments: [String]) -> [String] {
        var words: [String] = []
        var rest = arguments[...]
        while let word = rest.popFirst() {
            if word == "--" { return words + [word] + rest }
            let parts = word.hasPrefix("--") ? [full(word)] : separated(word)
            words += parts
            // The next word is its value, whatever it looks like.
            if let last = parts.last, takesNextWord(last), let value = rest.popFirst() { words.append(value) }
        }
        return words
    }

    private static func takesNextWord(_ word: String) -> Bool {
        if word.hasPrefix("--") {
            let isFlag = word.contains("=") || !longOptions.contains(word)
            let flags = [
                "--no-password", "--password", "--create-slot", "--drop-slot", "--if-not-exists", "--no-loop",
                "--synchronous", "--no-sync", "--verbose", "--version", "--help",
            ]
            return !isFlag && !flags.contains(word)
        }
        return word.count == 2 && word.hasPrefix("-") && word.last.map(optionsWithValue.contains) ?? false
    }

    /// An option that is written as far as it is unique.
    private static func full(_ word: String) -> String {
        let name = word.prefix { $0 != "=" }
        let meant = longOptions.filter { $0.hasPrefix(name) }
        guard meant.count == 1, let option = meant.first else { return word }
        return option + word.dropFirst(name.count)
    }

    /// `-nvD/wal` as `-n -v -D/wal`.
    private static func separated(_ word: String) -> [String] {
        guard word.hasPrefix("-"), word.count > 2 else { return [word] }
        var parts: [String] = []
        var letters = word.dropFirst()
        while let letter = letters.popFirst() {
            if optionsWithValue.contains(letter) { return parts + ["-\(letter)\(letters)"] }
            guard flags.contains(letter) else { return [word] }
            parts.append("-\(letter)")
        }
        return parts
    }
}
