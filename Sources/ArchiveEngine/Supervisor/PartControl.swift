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
    package func stop(parts: [Part], mode: String) throws -> ControlReply {
        if let reply = try ControlClient(container).send(ControlRequest(.stop, parts: parts, mode: mode)) {
            return reply
        }
        return try stopDirectly(parts, mode: mode)
    }

    package func restart(parts: [Part], mode: String) throws -> ControlReply {
        let request = ControlRequest(.restart, parts: parts, mode: mode)
        if let reply = try ControlClient(container).send(request) { return reply }
        _ = try stopDirectly(parts, mode: mode)
        return try SupervisorStart(container).start(parts: parts)
    }

    /// Stops everything but the clones, and returns when the supervisor has ended too.
    package func shutdown(mode: String) throws -> ControlReply {
        let client = ControlClient(container)
        let supervisor = client.supervisor.flatMap { ProcessIdentity.of($0.pid) }
        guard let reply = try client.send(ControlRequest(.shutdown, mode: mode)) else {
            return try stopDirectly(Part.allCases, mode: mode)
        }
        if let supervisor, !supervisor.waitForExit(timeoutSeconds: 60) {
            throw ArchiveError(
                .failed,
                "the supervisor has stopped its parts but does not end: process \(supervisor.pid)",
                hint: "see \(container.paths.supervisorLog)"
            )
        }
        return reply
    }

    package var standbyIsRunning: Bool { StandbyPart(container: container).find() != nil }

    package func reloadStandby() throws {
        guard let server = PostgresServer.find(dataDirectory: container.paths.standbyTree.data) else {
            throw ArchiveError(.conflict, "the standby is not running", hint: "'pgarchive standby start' starts it")
        }
        try server.reload()
    }

    private func stopDirectly(_ parts: [Part], mode: String) throws -> ControlReply {
        var desired = try DesiredState.read(container)
        desired.running.subtract(parts)
        try desired.write(container)
        let all: [any SupervisedPart] = [ReceiverPart(container: container), StandbyPart(container: container)]
        for part in all where parts.contains(part.part) { try part.stop(mode: mode) }
        return ControlReply(
            parts: all.map { part in
                let process = part.find()
                return ControlReply.PartState(
                    part: part.part,
                    phase: process == nil ? .stopped : .running,
                    processID: process?.pid
                )
            }
        )
    }
}
