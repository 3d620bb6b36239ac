import ArchiveModel
import Glibc
import Platform

/// What starts a supervisor again when it is killed (`container run --restart`); systemd does this by itself.
package struct Restarter: Sendable {
    let container: Container

    package init(_ container: Container) {
        self.container = container
    }

    /// The process that does it for this container, nil when none does.
    var process: ProcessIdentity? {
        ((try? HeldLock.isHeld(container.paths.restarterLock)) ?? nil).flatMap { ProcessIdentity.of($0.pid) }
    }

    /// Ends it, and with it a supervisor that it may just have started.
    func end() throws {
        guard let process, try process.signal(SIGTERM) else { return }
        guard !process.waitForExit(timeoutSeconds: StopCourse.patienceSeconds + 20) else { return }
        throw ArchiveError(
            .failed,
            "what starts the supervisor again does not end: process \(process.pid)",
            hint: "see \(container.paths.supervisorLog)"
        )
    }

    /// Cuts the pause before its next try short.
    func hurry() {
        _ = try? process?.signal(SIGHUP)
    }

    /// Runs the supervisor as a child, again whenever it dies of anything but a wish.
    package func run() throws {
        let signals = try SignalWatch([SIGTERM, SIGINT, SIGHUP])
        // Held across all children: a second one would start the container again after it was stopped.
        let lock = try takeLock()
        defer { lock.release() }
        let log = SupervisorLog(container)
        var policy = RestartPolicy()
        while true {
            let begin = SystemClock.monotonicSeconds()
            let child = try spawnSupervisor()
            while try Poll.wait([PollItem(child.pidDescriptor), PollItem(signals.descriptor)])[0].isEmpty {
                guard let signal = try signals.read(), signal != SIGHUP else { continue }
                child.signal(SIGTERM)
                _ = child.wait()
                return
            }
            // Ended as asked, or because the container has another supervisor.
            let status = child.wait()
            if status == .exited(0) || status == .exited(ErrorCode.conflict.rawValue) { return }
            let delay = policy.died(ranSeconds: SystemClock.monotonicSeconds() - begin)
            log.line("the supervisor died; started again in \(delay) s")
            if try Poll.wait(for: signals.descriptor, timeoutMilliseconds: Int32(max(delay, 0.1) * 1000)),
                let signal = try signals.read(), signal != SIGHUP
            {
                return
            }
        }
    }

    private func takeLock() throws -> HeldLock {
        do {
            // A moment: a child of one that was killed keeps the lock until it runs its own program.
            return try HeldLock.acquire(container.paths.restarterLock, wait: 0.2, description: "supervisor's restarter")
        } catch let conflict as LockConflict {
            throw ArchiveError(
                .conflict,
                "process \(conflict.holder?.pid ?? 0) starts the supervisor of '\(container.name)' again already",
                hint: "'pgarchive container status' shows what it does"
            )
        }
    }

    private func spawnSupervisor() throws -> SpawnedProcess {
        try ProcessSpawn.spawn(
            SpawnRequest(
                executable: try ThisProgram.path(),
                arguments: ["container", "run", "--container", container.paths.root],
                environment: ServerEnvironment.minimal,
                workingDirectory: container.paths.root,
                standardInput: .null,
                standardOutput: .inherit,
                standardError: .inherit
            )
        )
    }
}
