import ArchiveModel
import Glibc
import Platform

/// The cron jobs of a container, offered in the owner's crontab, disabled.
package struct Crontab: Sendable {
    let container: Container

    package init(_ container: Container) {
        self.container = container
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
        let program = Self.escaped(ShellWord.quoted(try ThisProgram.path()))
        let selector = Self.escaped("--container \(ShellWord.quoted(container.paths.root))")
        var jobs = [("23 * * * *", "expire-and-create-snapshot"), ("*/10 * * * *", "compress-wal-archive 1")]
        if container.identity.driver == .btrfs { jobs.append(("47 3 * * 0", "defrag-btrfs")) }
        return jobs.map { Job(time: $0, program: program, sign: "cron \($1) \(selector)") }
    }

    /// In a crontab a % ends the command.
    private static func escaped(_ text: String) -> String {
        text.split(separator: "%", omittingEmptySubsequences: false).joined(separator: "\\%")
    }

    private func stanza(_ jobs: [Job]) -> String {
        "# pgarchive \(container.name): remove the leading # of a line to enable the job\n" + jobs.map(\.line).joined()
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

    private static func line(_ line: ArraySlice<UInt8>, has job: Job) -> Bool {
        // With or without quotes, which not every path needs.
        let line = line.filter { $0 != 0x27 }
        guard let range = line.firstRange(of: job.sign.utf8.filter { $0 != 0x27 }) else { return false }
        // Not the beginning of another container's path.
        return range.upperBound == line.endIndex || [0x20, 0x09].contains(line[range.upperBound])
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
        let stored = try run(tool, ["-"], input: present + separator + Array(addition.utf8))
        guard stored.status.isSuccess else {
            throw ArchiveError(
                .failed,
                "crontab refused the jobs: \(stored.status)",
                hint: "add the lines above with 'crontab -e'",
                details: try details(stored)
            )
        }
        return addition
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
                hint: "add the lines above with 'crontab -e'",
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
