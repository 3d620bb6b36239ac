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

    func request() throws -> TargetRequest { try TargetRequest(target, otherwise: .latest) }
}

extension ContainerCommand {
    /// Runs one of PostgreSQL's programs on a moment of the past.
    ///
    /// Nothing but the program writes to standard output.
    func look(in container: Container, _ options: LookOptions, tool: String, arguments: [String]) throws {
        let request = try options.request()
        let plan = try request.plan(in: container, for: tool, global)
        render.remark(ClonePlanView(name: "look", requested: request.text, plan: plan).summary)
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
        let shell = try LocalShell(container, port: look.port, environment: Handover.environment, tool: tool)
        let code = try Handover.runAndReturn(shell.executable, arguments, environment: shell.environment)
        if code != 0 { throw ExitCode(code) }
    }
}
