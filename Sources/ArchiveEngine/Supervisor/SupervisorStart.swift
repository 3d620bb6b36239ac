import ArchiveModel
import Foundation
import Platform

/// Starts a supervisor in the background, and restarts it when it is killed.
package struct SupervisorStart: Sendable {
    let container: Container

    package init(_ container: Container) {
        self.container = container
    }

    /// Makes sure that `parts` run, by a supervisor that is there or by a new one.
    package func start(parts: [Part]) throws -> ControlReply {
        try InitMark.requireNone(container.paths)
        let client = ControlClient(container)
        if let reply = try client.send(ControlRequest(.start, parts: parts)) { return reply }
        if client.supervisor == nil {
            var desired = try DesiredState.read(container)
            desired.running.formUnion(parts)
            // Without a supervisor only the asked parts are wanted, unless more were left wanted by one that died.
            try desired.write(container)
            try spawn()
        }
        let deadline = SystemClock.monotonicSeconds() + 30
        while SystemClock.monotonicSeconds() < deadline {
            if let reply = try client.send(ControlRequest(.start, parts: parts)) { return reply }
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

    /// What `container run --restart` does: runs the supervisor as a child, again whenever it dies of anything but a
    /// wish.
    ///
    /// Under systemd this is not needed.
    package func keepSupervisor() throws {
        let signals = try SignalWatch([SIGTERM, SIGINT, SIGHUP])
        var policy = RestartPolicy()
        var isRestart = false
        while true {
            let begin = SystemClock.monotonicSeconds()
            let child = try ProcessSpawn.spawn(
                SpawnRequest(
                    executable: try ThisProgram.path(),
                    arguments: ["container", "run", "--container", container.paths.root],
                    environment: ServerEnvironment.minimal.merging(
                        isRestart ? [Supervisor.restartMark: "1"] : [:],
                        uniquingKeysWith: { $1 }
                    ),
                    workingDirectory: container.paths.root,
                    standardInput: .null,
                    standardOutput: .inherit,
                    standardError: .inherit
                )
            )
            let ready = try Poll.wait(
                [PollItem(child.pidDescriptor), PollItem(signals.descriptor)],
                timeoutMilliseconds: -1
            )
            if !ready[1].isEmpty {
                child.signal(SIGTERM)
                _ = child.wait()
                return
            }
            // Ended as asked, or because the container has another supervisor.
            let status = child.wait()
            if status == .exited(0) || status == .exited(ErrorCode.conflict.rawValue) { return }
            isRestart = true
            let delay = policy.died(ranSeconds: SystemClock.monotonicSeconds() - begin)
            SupervisorLog().line("the supervisor died; started again in \(delay) s")
            let milliseconds = Int32(max(delay, 0.1) * 1000)
            if try Poll.wait(for: signals.descriptor, timeoutMilliseconds: milliseconds) { return }
        }
    }
}
