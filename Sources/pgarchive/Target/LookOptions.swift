import ArchiveEngine
import ArchiveModel
import ArgumentParser

/// A moment, and how long the throwaway server behind it stays.
struct LookOptions: ParsableArguments {
    @OptionGroup(title: "Target") var target: TargetOptions

    @Option(
        help: ArgumentHelp(
            "Minutes for which the server stays, so that the next question about this moment is answered at once.",
            valueName: "minutes"
        )
    )
    var keep = 5.0

    func validate() throws {
        guard keep >= 0, keep <= 1440 else { throw ValidationError("--keep takes minutes, from 0 to 1440") }
        _ = try request()
    }

    /// Moves what belongs to the program of PostgreSQL's behind `--`: all but the options that are ours.
    ///
    /// The parser would look for its own letters within words such as `-tinvoices`.
    static func separated(_ words: [String]) -> [String] {
        guard let command = words.first, ["psql", "dump"].contains(command) else { return words }
        var ours: [String] = []
        var theirs: [String] = []
        var rest = words.dropFirst()
        while let word = rest.popFirst(), word != "--" {
            let name = String(word.prefix { $0 != "=" })
            if flags.contains(word) {
                ours.append(word)
            } else if valued.contains(name) {
                ours.append(word)
                if name == word, let value = rest.popFirst() { ours.append(value) }
            } else {
                theirs.append(word)
            }
        }
        return [command] + ours + ["--"] + theirs + rest
    }

    static let flags: Set<String> = [
        "--latest", "--immediate", "--target-immediate", "--exclusive", "--target-exclusive", "--help",
    ]

    static let valued: Set<String> = [
        "--at", "--target-time", "--lsn", "--target-lsn", "--xid", "--target-xid", "--restore-point", "--target-name",
        "--before", "--before-drop", "--type", "--target", "--timeline", "--target-timeline", "--target-tli",
        "--snapshot", "--set", "--keep", "--container",
    ]

    func request() throws -> TargetRequest { try TargetRequest(target, otherwise: .latest) }
}

extension ContainerCommand {
    /// Runs one of PostgreSQL's programs on a moment of the past.
    ///
    /// Nothing but the program writes to standard output.
    func look(in container: Container, _ options: LookOptions, tool: String, arguments: [String]) throws {
        let request = try options.request()
        let (plan, event) = try request.planned(in: container, for: tool, global)
        // What is looked for before a drop is in the drop's database.
        let database = try event.flatMap { try EventNames.database(of: $0, in: container) { render.warning($0) } }
        let begin = RecoveryBegin(try Look.source(container, plan), plan, container)
        render.remark(ClonePlanView(name: "look", requested: request.text, plan: plan, begin: begin).summary)
        let interruption = try Interruption()
        let look = try global.withProgress { progress in
            try Look.open(
                container,
                plan,
                requested: request.text,
                keepSeconds: options.keep * 60,
                progress: progress,
                interruption: interruption
            )
        }
        defer { look.close() }
        let shell = try LocalShell(
            container,
            port: look.port,
            environment: Handover.environment,
            database: database,
            tool: tool,
            readOnly: true
        )
        let code = try Handover.runAndReturn(shell.executable, arguments, environment: shell.environment)
        if code != 0 { throw ExitCode(code) }
    }
}
