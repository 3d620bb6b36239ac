import ArchiveEngine
import ArchiveModel
import ArgumentParser
import Platform

/// What a user is told when a command fails: `error: what`, further lines, `hint: what to do`.
struct Failure {
    let what: String
    let details: [String]
    let hint: String?
    let exitCode: Int32

    init(_ thrown: any Error) {
        guard let error = ErrorTranslation.archiveError(thrown) else {
            self.init(usage: thrown)
            return
        }
        let hint = error.hint ?? (thrown as? SystemError).flatMap(SystemHint.text)
        self.init(what: error.what, details: error.details, hint: hint, code: error.code)
    }

    private init(what: String, details: [String] = [], hint: String? = nil, code: ErrorCode) {
        self.what = what
        // Servers and tools indent lines of their own.
        self.details = details.map { String($0.drop(while: { $0 == "\t" })) }
        self.hint = hint
        self.exitCode = code.rawValue
    }

    /// ArgumentParser's own words, in the form of every other error.
    private init(usage error: any Error) {
        let isUsage = PgArchive.exitCode(for: error) == .validationFailure
        let text = PgArchive.fullMessage(for: error, columns: 4096)
        let lines = text.split(separator: "\n").map(String.init)
        // One line, or as many as a command has forms.
        let usage = lines.drop { !$0.hasPrefix("Usage: ") }.prefix { !$0.hasPrefix("  See '") }
            .map { $0.replacing("Usage: ", with: "").trimmed }
        let help = lines.first { $0.hasPrefix("  See '") }
        self.init(
            what: Self.lowerFirst(PgArchive.message(for: error)),
            details: isUsage
                ? usage.enumerated().map { ($0 == 0 ? "usage: " : "       ") + GlobalOptions.shortened(usage: $1) }
                : [],
            hint: help.map { "see " + $0.dropFirst("  See ".count).replacing(" for more information.", with: "") },
            code: isUsage ? .usage : .failed
        )
    }

    private static func lowerFirst(_ text: String) -> String {
        guard let first = text.first, text.dropFirst().first?.isLowercase == true else { return text }
        return first.lowercased() + text.dropFirst()
    }

    /// The whole text, without colour.
    var text: String {
        var lines = ["error: \(what)"]
        lines += details.map { "  \($0)" }
        if let hint { lines.append("hint: \(hint)") }
        return lines.joined(separator: "\n") + "\n"
    }

    func write() {
        let palette = Palette(descriptor: 2)
        var lines = [palette.red("error:") + " " + what]
        lines += details.map { "  \($0)" }
        if let hint { lines.append(palette.bold("hint:") + " " + CommandHint.complete(hint)) }
        StandardError.write(lines.joined(separator: "\n") + "\n")
    }
}

extension String {
    /// Without the blanks around it.
    fileprivate var trimmed: String {
        var text = self[...]
        while text.first?.isWhitespace == true { text.removeFirst() }
        while text.last?.isWhitespace == true { text.removeLast() }
        return String(text)
    }
}
