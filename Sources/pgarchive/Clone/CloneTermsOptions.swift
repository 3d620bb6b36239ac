import ArchiveEngine
import ArchiveModel
import ArgumentParser
import Platform

/// What is said of a clone besides its moment.
struct CloneTermsOptions: ParsableArguments {
    @Option(
        help: ArgumentHelp(
            "Remove it after this time, such as 2d, 12h or 1 week; or never. (default: clone.expire_after)",
            valueName: "time"
        )
    )
    var expire: String?

    @Option(help: ArgumentHelp("Whose it is.", valueName: "who"))
    var owner: String?

    @Option(help: ArgumentHelp("What it is for.", valueName: "text"))
    var note: String?

    func validate() throws { _ = try expiry() }

    var areGiven: Bool { expire != nil || owner != nil || note != nil }

    func expiry() throws -> CloneTerms.Expiry? { try expire.map(Self.expiry) }

    private static func expiry(_ text: String) throws -> CloneTerms.Expiry {
        if text.lowercased() == "never" { return .never }
        guard let seconds = TimeSpan.parse(text) else {
            throw ValidationError("'\(text)' is not a length of time: one is 2d, 12h, '90 min', '1 week', or never")
        }
        return .after(seconds: seconds)
    }

    func change() throws -> CloneChange {
        CloneChange(expiry: try expiry(), owner: owner, note: note)
    }

    func terms() throws -> CloneTerms {
        var terms = CloneTerms()
        terms.expiry = try expiry() ?? .usual
        terms.owner = owner
        terms.note = note
        return terms
    }
}

/// How a clone is to be when it is ready.
struct CloneSetupOptions: ParsableArguments {
    @Flag(help: "Listen beyond this host, by TLS and with SCRAM passwords only.")
    var reachable = false

    @Option(
        name: .customLong("run-sql"),
        help: ArgumentHelp(
            "SQL for psql, run once it has recovered, before others may connect; - is standard input. Starts it.",
            valueName: "file"
        ),
        completion: .file()
    )
    var scripts: [String] = []

    @Option(help: ArgumentHelp("The database in which --run-sql begins. (default: postgres)", valueName: "name"))
    var database: String?

    @Flag(help: "Give each role that can log in a new random password, shown once. Starts it.")
    var password = false

    func validate() throws {
        if database != nil, scripts.isEmpty { throw ValidationError("--database goes with --run-sql") }
    }

    /// Whether it has to run to become what it is to be.
    var needsStart: Bool { password || !scripts.isEmpty }

    /// - Parameter settings: of --set.
    func complete(_ terms: inout CloneTerms, settings: [String], major: Int) throws {
        terms.isReachable = reachable
        terms.settings = try settings.map { try CloneSetting($0, major: major) }
        terms.givesPasswords = password
        terms.database = database ?? terms.database
        terms.scripts = try scripts.map { ($0 == "-" ? "standard input" : $0, try Self.text(of: $0)) }
    }

    private static func text(of file: String) throws -> [UInt8] {
        do {
            return try FileTree.read(file == "-" ? "/dev/stdin" : file, limit: 256 << 20)
        } catch {
            throw ArchiveError(
                error.isNotFound ? .notFound : .usage,
                "the script cannot be read: \(error)",
                hint: "it is read as the container's owner; '--run-sql - <FILE' lets your shell open it"
            )
        }
    }
}
