import ArchiveEngine
import ArchiveModel
import ArgumentParser

/// What a user is told when a command fails: `error: what`, further lines, `hint: what to do`.
struct Failure {
    let what: String
    let details: [String]
    let hint: String?
    let exitCode: Int32

    init(_ error: any Error) {
        guard let error = ErrorTranslation.archiveError(error) else {
            self.init(usage: error)
            return
        }
        self.init(what: error.what, details: error.details, hint: error.hint, code: error.code)
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
        let usage = lines.first { $0.hasPrefix("Usage: ") }
        let help = lines.first { $0.hasPrefix("  See '") }
        self.init(
            what: Self.lowerFirst(PgArchive.message(for: error)),
            details: isUsage
                ? [usage.map { "usage: " + GlobalOptions.shortened(usage: String($0.dropFirst("Usage: ".count))) }]
                    .compactMap { $0 } : [],
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
        if let hint { lines.append(palette.bold("hint:") + " " + hint) }
        StandardError.write(lines.joined(separator: "\n") + "\n")
    }
}
