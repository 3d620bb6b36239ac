import ArchiveModel
import Foundation
import Platform

/// Keeps a container's parts running, in the foreground, until it is told to end.
///
/// The parts are processes of their own and outlive it: a supervisor that starts again finds them.
package struct Supervisor: Sendable {
    let container: Container

    /// In the environment of a supervisor that takes the place of one that died.
    static let restartMark = "PGARCHIVE_SUPERVISOR_RESTARTED"

    package init(_ container: Container) {
        self.container = container
    }

    /// Returns when it was asked to end and all parts have stopped.
    package func run() throws {
        try InitMark.requireNone(container.paths)
        try FileTree.makeDirectory(container.paths.run, mode: 0o700, parents: true)
        let lock = try takeLock()
        defer { lock.release() }
        let signals = try SignalWatch([SIGTERM, SIGINT, SIGHUP])
        let log = SupervisorLog()
        var desired = try DesiredState.read(container)
        if desired.running.isEmpty, ProcessInfo.processInfo.environment[Self.restartMark] != nil {
            // All was stopped while no supervisor was there to be told.
            return log.line("nothing is wanted to run any more")
        }
        if desired.running.isEmpty {
            desired = DesiredState(running: Set(Part.allCases))
            try desired.write(container)
        }
        let keepers = try [ReceiverPart(container: container), StandbyPart(container: container) as any SupervisedPart]
            .map { try PartKeeper(part: $0, wanted: desired.running.contains($0.part), log: log) }
        let listener = try ControlSocket.listen(container.paths.controlSocket)
        defer { try? FileTree.removeFile(container.paths.controlSocket) }
        log.line("supervisor of '\(container.name)' started, process \(getpid())")
        let threads = try keepers.map { keeper in
            try OwnedThread.start(name: keeper.part.part.rawValue) { keeper.run() }
        }
        let space = SnapshotSpace(container)
        let counter = try OwnedThread.start(name: "space") { space.keepCounting() }
        let ending = try serve(listener, signals: signals, keepers: keepers)
        log.line("supervisor ending: \(ending)")
        space.end()
        for keeper in keepers { keeper.end() }
        for thread in threads { thread.join() }
        counter.join()
    }

    private func takeLock() throws -> HeldLock {
        do {
            return try HeldLock.acquire(container.paths.supervisorLock, wait: 0, description: "supervisor")
        } catch let conflict as LockConflict {
            throw ArchiveError(
                .conflict,
                "container '\(container.name)' has a supervisor already: process \(conflict.holder?.pid ?? 0)",
                hint: "'pgarchive container status' shows what it does"
            )
        }
    }

    /// Answers requests until one of them, or a signal, asks to end.
    private func serve(_ listener: borrowing Descriptor, signals: SignalWatch, keepers: [PartKeeper]) throws -> String {
        let shutdown = try EventDescriptor()
        while true {
            let ready = try Poll.wait(
                [
                    PollItem(listener.raw),
                    PollItem(signals.descriptor),
                    PollItem(shutdown.raw),
                ],
                timeoutMilliseconds: -1
            )
            if !ready[1].isEmpty, let signal = try signals.read() { return "signal \(signal)" }
            if !ready[2].isEmpty { return "asked to" }
            guard !ready[0].isEmpty, let raw = accept(listener) else { continue }
            _ = try OwnedThread.start(name: "control") {
                self.answer(raw, keepers: keepers, shutdown: shutdown)
            }
        }
    }

    private func accept(_ listener: borrowing Descriptor) -> Int32? {
        do {
            return try ControlSocket.accept(listener).release()
        } catch {
            return nil
        }
    }

    private func answer(_ raw: Int32, keepers: [PartKeeper], shutdown: EventDescriptor) {
        let connection = Descriptor(owning: raw)
        guard let request = try? ControlSocket.receive(ControlRequest.self, from: connection.raw) else { return }
        var reply = ControlReply(parts: [])
        do {
            let chosen = keepers.filter { request.parts.isEmpty || request.parts.contains($0.part.part) }
            switch request.verb {
            case .status: break
            case .start, .stop, .restart:
                try note(request)
                reply = apply(request, to: chosen)
            case .shutdown:
                var desired = try DesiredState.read(container)
                desired.running = []
                try desired.write(container)
                reply = apply(ControlRequest(.stop, mode: request.mode), to: keepers)
            }
        } catch {
            reply.error = "\(error)"
        }
        reply.parts = keepers.map(\.current)
        try? ControlSocket.send(reply, to: connection.raw)
        // Only now: the process ends at once, and whoever asked would be left without an answer.
        if request.verb == .shutdown { shutdown.signal() }
    }

    private func note(_ request: ControlRequest) throws {
        var desired = try DesiredState.read(container)
        for part in request.parts.isEmpty ? Part.allCases : request.parts {
            if request.verb == .stop { desired.running.remove(part) } else { desired.running.insert(part) }
        }
        try desired.write(container)
    }

    private func apply(_ request: ControlRequest, to keepers: [PartKeeper]) -> ControlReply {
        var reply = ControlReply(parts: [])
        for keeper in keepers {
            let done = keeper.request(
                running: request.verb != .stop,
                mode: request.mode,
                restart: request.verb == .restart,
                timeoutSeconds: 90
            )
            let state = keeper.current
            if !done, reply.error == nil {
                reply.error = "\(state.part.rawValue) \(state.reason ?? "is still \(state.phase.rawValue)")"
                reply.hint = "'pgarchive \(state.part.rawValue) log' tells more; it goes on being tried"
            }
        }
        return reply
    }
}
