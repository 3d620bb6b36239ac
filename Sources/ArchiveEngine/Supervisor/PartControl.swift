import ArchiveModel
import Platform
import PostgresLink

/// Stops and restarts parts, whether a supervisor looks after them or was killed and left them behind.
package struct PartControl: Sendable {
    let container: Container

    package init(_ container: Container) {
        self.container = container
    }

    /// - Parameter mode: how a server is stopped: smart, fast or immediate.
    package func stop(parts: [Part], mode: String, _ patience: Patience = Patience()) throws -> ControlReply {
        let request = ControlRequest(.stop, parts: parts, mode: mode)
        if let reply = try ControlClient(container).carryOut(request, patience) { return reply }
        let reply = try stopDirectly(parts, mode: mode, patience)
        // One that was just being started again has perhaps not heard of it.
        return try ControlClient(container).carryOut(request, patience) ?? reply
    }

    package func restart(parts: [Part], mode: String, _ patience: Patience = Patience()) throws -> ControlReply {
        let request = ControlRequest(.restart, parts: parts, mode: mode)
        if let reply = try ControlClient(container).carryOut(request, patience) { return reply }
        _ = try stopDirectly(parts, mode: mode, patience)
        return try SupervisorStart(container).start(parts: parts, patience)
    }

    /// Stops everything but the clones, and returns when the supervisor has ended too.
    package func shutdown(mode: String, _ patience: Patience = Patience()) throws -> ControlReply {
        let client = ControlClient(container)
        // Not a purge, which holds the same lock.
        let supervisor = client.supervisor.flatMap {
            $0.text == Supervisor.lockDescription ? ProcessIdentity.of($0.pid) : nil
        }
        let restarter = Restarter(container).process
        if let reply = try client.carryOut(ControlRequest(.shutdown, mode: mode), patience), !reply.isSettled {
            return reply
        }
        // It ends by itself once its parts have stopped.
        for process in [supervisor, restarter].compactMap({ $0 }) where !process.waitForExit(timeoutSeconds: 10) {
            try Restarter(container).end()
            guard process.waitForExit(timeoutSeconds: 60) else {
                throw ArchiveError(
                    .failed,
                    "the parts have stopped, but the supervisor does not end: process \(process.pid)",
                    hint: "see \(container.paths.supervisorLog)"
                )
            }
        }
        // Also where there was none, or only what would have started it again.
        try Restarter(container).end()
        return try stopDirectly(Part.allCases, mode: mode, patience)
    }

    package var standbyIsRunning: Bool { StandbyPart(container: container).find() != nil }

    package func reloadStandby() throws {
        guard let server = PostgresServer.find(dataDirectory: container.paths.standbyTree.data) else {
            throw ArchiveError(.conflict, "the standby is not running", hint: "'pgarchive standby start' starts it")
        }
        try server.reload()
    }

    private func stopDirectly(_ parts: [Part], mode: String, _ patience: Patience) throws -> ControlReply {
        let mode = try ServerStop.mode(mode)
        // First, so that a supervisor that starts now does not start them; and again below, where a full disk was in
        // the way and stopping has made room.
        let isNoted = (try? note(stopped: parts)) != nil
        let all: [any SupervisedPart] = [ReceiverPart(container: container), StandbyPart(container: container)]
        var isSettled = true
        for part in all where parts.contains(part.part) {
            isSettled = try part.stop(mode, patience) && isSettled
        }
        if !isNoted { try note(stopped: parts) }
        return ControlReply(
            parts: all.map { part in
                let process = part.find()
                return ControlReply.PartState(
                    part: part.part,
                    phase: process == nil ? .stopped : parts.contains(part.part) ? .stopping : .running,
                    processID: process?.pid
                )
            },
            isSettled: isSettled
        )
    }

    private func note(stopped parts: [Part]) throws {
        try DesiredState.change(container) { before in
            guard parts.count < Part.allCases.count, let before else { return nil }
            return DesiredState(running: before.running.subtracting(parts))
        }
    }
}
