import ArchiveModel
import Foundation
import Platform

/// Keeps a container's parts running, in the foreground, until it is told to end.
///
/// The parts are processes of their own and outlive it: a supervisor that starts again finds them.
package struct Supervisor: Sendable {
    /// A request is answered within this time, settled or not; whoever asked asks again.
    static let longestAnswerSeconds = 15.0

    static let lockDescription = "supervisor"

    let container: Container

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
        let log = SupervisorLog(container)
        do { try container.markArchive() } catch { log.line("the WAL archive cannot be marked: \(error)") }
        // Listening first: who finds nobody listening notes its wish, and that is read below.
        let listener = try ControlSocket.listen(container.paths.controlSocket)
        defer { try? FileTree.removeFile(container.paths.controlSocket) }
        let desired = try DesiredState.read(container) ?? DesiredState(running: Set(container.parts))
        // The receiver may have been wanted before the settings said that WAL is pushed.
        let wanted = desired.running.intersection(container.parts)
        let keepers = try [ReceiverPart(container: container), StandbyPart(container: container) as any SupervisedPart]
            .map { try PartKeeper(part: $0, wanted: wanted.contains($0.part), log: log) }
        log.line("supervisor of '\(container.name)' started, process \(getpid())")
        let threads = try keepers.map { keeper in
            try OwnedThread.start(name: keeper.part.part.rawValue) { keeper.run() }
        }
        _ = try OwnedThread.start(name: "leftovers") {
            do {
                try Leftovers(container: container).remove()
            } catch {
                log.line("what killed commands left is not all removed: \(error)")
            }
        }
        let space = SnapshotSpace(container)
        let copies = try CopyKeeper(container, log: log)
        let indexer = try Indexer(container, log: log)
        let looks = try LookKeeper(container, log: log)
        let clones = try CloneKeeper(container, log: log)
        let cloneSpace = try CloneSpace(container, log: log)
        let ready = try ReadyKeeper(container, log: log)
        let background = [
            try OwnedThread.start(name: "space") { space.keepCounting() },
            try OwnedThread.start(name: "copies") { copies.run() },
            try OwnedThread.start(name: "index") { indexer.run() },
            try OwnedThread.start(name: "looks") { looks.run() },
            try OwnedThread.start(name: "clones") { clones.run() },
            try OwnedThread.start(name: "clone space") { cloneSpace.run() },
            try OwnedThread.start(name: "ready") { ready.run() },
        ]
        let ending = try serve(listener, signals: signals, keepers: keepers, log: log)
        log.line("supervisor ending: \(ending)")
        space.end()
        copies.end()
        indexer.end()
        looks.end()
        clones.end()
        cloneSpace.end()
        ready.end()
        for keeper in keepers { keeper.end() }
        for thread in threads + background { thread.join() }
        // Nobody would remove them later.
        LookRemoval(container).run(all: true)
    }

    private func takeLock() throws -> HeldLock {
        do {
            // A moment: a child of one that was killed keeps the lock until it runs its own program.
            return try HeldLock.acquire(container.paths.supervisorLock, wait: 0.2, description: Self.lockDescription)
        } catch let conflict as LockConflict {
            throw ArchiveError(
                .conflict,
                "container '\(container.name)' has a supervisor already: process \(conflict.holder?.pid ?? 0)",
                hint: "'pgarchive container status' shows what it does"
            )
        }
    }

    /// Answers requests until one of them, or a signal, asks to end.
    private func serve(
        _ listener: borrowing Descriptor,
        signals: SignalWatch,
        keepers: [PartKeeper],
        log: SupervisorLog
    ) throws -> String {
        let shutdown = try EventDescriptor()
        var lastTrouble = ""
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
            guard !ready[0].isEmpty else { continue }
            do {
                try takeRequest(listener, keepers: keepers, shutdown: shutdown)
                lastTrouble = ""
            } catch {
                // No more files or threads to be had: the parts are looked after all the same.
                if "\(error)" != lastTrouble { log.line("a request cannot be answered: \(error)") }
                lastTrouble = "\(error)"
                SystemClock.sleep(seconds: 0.1)
            }
        }
    }

    private func takeRequest(
        _ listener: borrowing Descriptor,
        keepers: [PartKeeper],
        shutdown: EventDescriptor
    ) throws(SystemError) {
        let raw = try ControlSocket.accept(listener)
        do throws(SystemError) {
            _ = try OwnedThread.start(name: "control") {
                self.answer(Descriptor(owning: raw), keepers: keepers, shutdown: shutdown)
            }
        } catch {
            close(raw)
            throw error
        }
    }

    private func answer(_ connection: consuming Descriptor, keepers: [PartKeeper], shutdown: EventDescriptor) {
        guard let request = try? ControlSocket.receive(ControlRequest.self, from: connection.raw) else { return }
        var reply = ControlReply(parts: [])
        do {
            reply = try carryOut(request, keepers)
        } catch let error as ArchiveError {
            reply.error = error.what
            reply.hint = error.hint
        } catch {
            reply.error = "\(error)"
        }
        reply.parts = keepers.map(\.current)
        try? ControlSocket.send(reply, to: connection.raw)
        // Only now: the process ends at once, and whoever asked would be left without an answer.
        if request.verb == .shutdown, keepers.allSatisfy({ $0.waitUntilStopped() }) { shutdown.signal() }
    }

    private func carryOut(_ request: ControlRequest, _ keepers: [PartKeeper]) throws -> ControlReply {
        let chosen = keepers.filter { request.parts.isEmpty || request.parts.contains($0.part.part) }
        let mode = try ServerStop.mode(request.mode ?? "fast")
        let isWish = request.verb != .wait
        switch request.verb {
        case .status: return ControlReply(parts: [])
        case .start: for keeper in chosen { keeper.ask(running: true) }
        case .stop, .shutdown: for keeper in chosen { keeper.ask(running: false, mode: mode) }
        case .restart: for keeper in chosen { keeper.ask(running: true, mode: mode, restart: true) }
        case .wait: break
        }
        let isNoted = !isWish || (try? note(request, keepers)) != nil
        let seconds = min(request.waitSeconds ?? Self.longestAnswerSeconds, Self.longestAnswerSeconds)
        let deadline = Date(timeIntervalSinceNow: seconds)
        let answers = chosen.map { $0.answer(deadline) }
        // A full disk was in the way; stopping has perhaps made room.
        if !isNoted { try note(request, keepers) }
        let failure = answers.compactMap { $0 }.first { $0.phase == .failing }
        return ControlReply(
            parts: [],
            isSettled: answers.allSatisfy { $0 != nil },
            error: failure.map { "\($0.part.rawValue) \($0.reason ?? "fails")" },
            hint: failure.map { "'pgarchive \($0.part.rawValue) log' tells more; it goes on being tried" }
        )
    }

    /// Keeps what is wanted for the next supervisor.
    private func note(_ request: ControlRequest, _ keepers: [PartKeeper]) throws {
        try DesiredState.change(container) { _ in
            request.verb == .shutdown
                ? nil : DesiredState(running: Set(keepers.filter(\.isWanted).map(\.part.part)))
        }
    }
}
