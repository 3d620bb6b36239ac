import ArchiveModel
import Glibc
import Platform

/// The cron jobs of a container, offered in the owner's crontab, disabled, between two lines that mark them.
package struct Crontab: Sendable {
    private let root: String
    private let isDefragmented: Bool

    package init(_ container: Container) {
        root = container.paths.root
        isDefragmented = container.identity.driver == .btrfs
    }

    /// Of a container that is going.
    init(root: String) {
        self.root = root
        isDefragmented = false
    }

    /// A job's line, without the # that disables it.
    private struct Job {
        let time: String
        let program: String
        /// What makes it this job of this container, whenever it runs and wherever the program lies.
        let sign: String

        var line: String { "#\(time) \(program) \(sign)\n" }
    }

    private func jobs() throws -> [Job] {
        guard !root.utf8.contains(0x0A) else {
            throw ArchiveError(
                .refused,
                "no line of a crontab can hold the container's path, which has a line end in it",
                hint: "run the jobs by another program"
            )
        }
        let program = Self.escaped(ShellWord.quoted(try ThisProgram.path()))
        var jobs = [("23 * * * *", "expire-and-create-snapshot"), ("*/10 * * * *", "compress-wal-archive 1")]
        if isDefragmented { jobs.append(("47 3 * * 0", "defrag-btrfs")) }
        return jobs.map { Job(time: $0, program: program, sign: "cron \($1) \(selector)") }
    }

    /// In a crontab a % ends the command.
    private static func escaped(_ text: String) -> String {
        text.split(separator: "%", omittingEmptySubsequences: false).joined(separator: "\\%")
    }

    private var selector: String { Self.escaped("--container \(ShellWord.quoted(root))") }

    private var beginning: String { "# pgarchive \(root): begin" }
    private var ending: String { "# pgarchive \(root): end" }

    private func stanza(_ jobs: [Job]) -> String {
        "\(beginning); remove the leading # of a line to enable the job\n" + jobs.map(\.line).joined()
            + "\(ending)\n"
    }

    /// The stanza, each job commented out.
    package func stanza() throws -> String { stanza(try jobs()) }

    /// What is to be put behind a crontab: the jobs that are not in it yet, enabled or not.
    ///
    /// A crontab need not be UTF-8, and comes back byte by byte.
    package func addition(to present: [UInt8]) throws -> String {
        let missing = try jobs().filter { job in !present.split(separator: 0x0A).contains { Self.line($0, has: job) } }
        return missing.isEmpty ? "" : stanza(missing)
    }

    private static func line(_ line: ArraySlice<UInt8>, has job: Job) -> Bool { Self.line(line, has: job.sign) }

    private static func line(_ line: ArraySlice<UInt8>, has sign: String) -> Bool {
        // With or without quotes, which not every path needs.
        let line = line.filter { $0 != 0x27 }
        guard let range = line.firstRange(of: sign.utf8.filter { $0 != 0x27 }) else { return false }
        // Not the beginning of another container's path.
        return range.upperBound == line.endIndex || [0x20, 0x09].contains(line[range.upperBound])
    }

    /// A crontab without the stanza: the lines that mark it, and between them this container's jobs, enabled or not.
    ///
    /// All else stays, byte by byte: also what somebody has put in between.
    package func without(_ present: [UInt8]) -> [UInt8] {
        let lines = present.split(separator: 0x0A, omittingEmptySubsequences: false)
        var kept: [ArraySlice<UInt8>] = []
        var isInside = false
        for line in lines {
            if line.starts(with: beginning.utf8) {
                isInside = true
            } else if isInside, line.starts(with: ending.utf8) {
                isInside = false
            } else if !isInside || !Self.line(line, has: selector) {
                kept.append(line)
            }
        }
        return Array(kept.joined(separator: [0x0A]))
    }

    /// As the user's shell would find it; it runs as that user.
    private static var tool: String? {
        let path = ServerEnvironment.minimal["PATH"] ?? ""
        let places = path.split(separator: ":").filter { $0.hasPrefix("/") }.map(String.init)
        return places.map { FilePath.join($0, "crontab") }.first { access($0, X_OK) == 0 }
            ?? (try? SystemTool.find("crontab"))
    }

    /// Appends to the calling user's crontab what is missing there.
    ///
    /// - Returns: what was appended, empty when all was there.
    package func install() throws -> String {
        guard let tool = Self.tool else {
            throw ArchiveError(
                .failed,
                "the program crontab is not installed here",
                hint: "install cron, or let systemd timers run the lines above",
                details: try details()
            )
        }
        let present = try read(tool)
        let addition = try addition(to: present)
        if addition.isEmpty { return "" }
        let separator: [UInt8] = present.isEmpty || present.last == 0x0A ? [] : [0x0A]
        try store(present + separator + Array(addition.utf8), tool)
        return addition
    }

    /// Takes the stanza out of the calling user's crontab, if it is there.
    func remove() throws {
        guard let tool = Self.tool else { return }
        let present = try read(tool)
        let rest = without(present)
        if rest == present { return }
        try store(rest, tool)
    }

    /// An empty one is none.
    private func store(_ table: [UInt8], _ tool: String) throws {
        let stored = try table.isEmpty ? run(tool, ["-r"]) : run(tool, ["-"], input: table)
        guard !stored.status.isSuccess else { return }
        throw ArchiveError(
            .failed,
            "crontab refused the change: \(stored.status)",
            hint: "change the lines above with 'crontab -e'",
            details: try details(stored)
        )
    }

    /// The whole crontab: what cannot be read would be lost, since it is only ever replaced.
    private func read(_ tool: String) throws -> [UInt8] {
        let listed = try run(tool, ["-l"])
        if listed.status.isSuccess, !listed.isTruncated { return listed.output }
        // crontab has no exit status of its own for "none yet"; all that there are begin their word for it so.
        let isNone = listed.output.isEmpty && listed.errorText.contains("no crontab for")
        guard listed.status == .exited(1), isNone else {
            throw ArchiveError(
                .failed,
                "the present crontab cannot be read, so nothing was changed",
                hint: "change the lines above with 'crontab -e'",
                details: try details(listed)
            )
        }
        return []
    }

    private func run(_ tool: String, _ arguments: [String], input: [UInt8]? = nil) throws -> ProcessOutput {
        try ProcessSpawn.run(
            SpawnRequest(executable: tool, arguments: arguments, environment: ServerEnvironment.minimal),
            input: input,
            outputLimit: 16 << 20,
            timeoutSeconds: 20
        )
    }

    private func details(_ output: ProcessOutput? = nil) throws -> [String] {
        ((output?.errorText ?? "") + "\n" + (try stanza())).split(separator: "\n").map(String.init)
    }
}
