import ArchiveModel
import Platform

/// Starts a supervisor in the background.
package struct SupervisorStart: Sendable {
    private static let patienceSeconds = 30.0

    let container: Container

    package init(_ container: Container) {
        self.container = container
    }

    /// Makes sure that `parts` run, by a supervisor that is there or by a new one.
    package func start(parts: [Part], _ patience: Patience = Patience()) throws -> ControlReply {
        try InitMark.requireNone(container.paths)
        let client = ControlClient(container)
        let request = ControlRequest(.start, parts: parts)
        if let reply = try client.carryOut(request, patience) { return reply }
        try FileTree.makeDirectory(container.paths.run, mode: 0o700, parents: true)
        // Without a supervisor only the asked parts are wanted, unless more were left wanted by one that died.
        try DesiredState.change(container) { DesiredState(running: ($0?.running ?? []).union(parts)) }
        let deadline = Deadline(seconds: Self.patienceSeconds)
        let restarter = Restarter(container)
        var isHurried = false
        var nextSpawn = Deadline(seconds: 0)
        while !deadline.hasPassed {
            if let reply = try client.carryOut(request, patience) { return reply }
            if client.supervisor == nil {
                if restarter.process != nil {
                    if !isHurried { restarter.hurry() }
                    isHurried = true
                } else if nextSpawn.hasPassed {
                    try spawn()
                    nextSpawn = Deadline(seconds: 3)
                }
            }
            SystemClock.sleep(seconds: 0.02)
        }
        throw ArchiveError(
            .failed,
            "the supervisor did not start",
            hint: "see \(container.paths.supervisorLog)"
        )
    }

    private func spawn() throws {
        try FileTree.makeDirectory(container.paths.log, mode: 0o700, parents: true)
        let request = SpawnRequest(
            executable: try ThisProgram.path(),
            arguments: ["container", "run", "--restart", "--container", container.paths.root],
            environment: ServerEnvironment.minimal,
            workingDirectory: container.paths.root,
            standardInput: .null,
            standardOutput: .file(container.paths.supervisorLog),
            standardError: .file(container.paths.supervisorLog),
            newSession: true
        )
        _ = try ProcessSpawn.spawn(request)
    }
}
