import ArchiveModel
import Glibc
import Platform

/// The cron jobs of a container, offered in the owner's crontab, disabled.
package struct Crontab: Sendable {
    let container: Container

    package init(_ container: Container) {
        self.container = container
    }

    /// The stanza, each job commented out.
    package func stanza() throws -> String {
        let program = try ThisProgram.path()
        let command = "\(ShellWord.quoted(program)) cron"
        let selector = "--container \(ShellWord.quoted(container.paths.root))"
        // In a crontab a % ends the command.
        let escaped = { (text: String) in
            text.split(separator: "%", omittingEmptySubsequences: false).joined(separator: "\\%")
        }
        var jobs = [("23 * * * *", "expire-and-create-snapshot"), ("*/10 * * * *", "compress-wal-archive 1")]
        if container.identity.driver == .btrfs { jobs.append(("47 3 * * 0", "defrag-btrfs")) }
        return "# pgarchive \(container.name): remove the leading # of a line to enable the job\n"
            + jobs.map { time, job in "#\(time) \(escaped("\(command) \(job) \(selector)"))\n" }.joined()
    }

    /// As the user's shell would find it; it runs as that user.
    private static var tool: String? {
        let path = ServerEnvironment.minimal["PATH"] ?? ""
        let places = path.split(separator: ":").filter { $0.hasPrefix("/") }.map(String.init)
        return places.map { FilePath.join($0, "crontab") }.first { access($0, X_OK) == 0 }
            ?? (try? SystemTool.find("crontab"))
    }

    /// Appends the stanza to the calling user's crontab.
    package func install() throws {
        guard let tool = Self.tool else {
            throw ArchiveError(
                .failed,
                "the program crontab is not installed here",
                hint: "install cron, or let systemd timers run the lines above",
                details: try stanza().split(separator: "\n").map(String.init)
            )
        }
        let environment = ServerEnvironment.minimal
        let listed = try ProcessSpawn.run(
            SpawnRequest(executable: tool, arguments: ["-l"], environment: environment),
            timeoutSeconds: 20
        )
        // Without a crontab yet, -l fails and prints nothing on standard output.
        let present = listed.outputText
        let text = present + (present.isEmpty || present.hasSuffix("\n") ? "" : "\n") + (try stanza())
        let stored = try ProcessSpawn.run(
            SpawnRequest(executable: tool, arguments: ["-"], environment: environment),
            input: Array(text.utf8),
            timeoutSeconds: 20
        )
        guard stored.status.isSuccess else {
            throw ArchiveError(
                .failed,
                "crontab refused the jobs: \(stored.status)",
                hint: "add the lines above with 'crontab -e'",
                details: stored.errorText.split(separator: "\n").map(String.init)
                    + (try stanza().split(separator: "\n").map(String.init))
            )
        }
    }
}
