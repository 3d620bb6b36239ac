import ArchiveModel
import Platform
import PostgresLink
import WALFormat

/// Looks after the clones while a supervisor runs: notes their use, stops and removes those that nobody needs.
final class CloneKeeper: Sendable {
    private let container: Container
    private let log: SupervisorLog
    private let rounds: Rounds

    init(_ container: Container, log: SupervisorLog) throws {
        self.container = container
        self.log = log
        self.rounds = try Rounds(everyMilliseconds: 5000, log: log)
    }

    func end() { rounds.end() }

    func run() {
        var doubts = IdleDoubts()
        rounds.run {
            var trouble: [String] = []
            do {
                // The settings as they are now.
                let current = try Container.open(container.paths.root)
                do { try removeUnfinished(current) } catch { trouble.append("\(error)") }
                let clones = try CloneCatalog(current).listed().filter { !$0.isLook }
                noteUse(of: clones, current)
                trouble += keep(clones, current, &doubts)
            } catch {
                trouble.append("\(error)")
            }
            return trouble.map { "clones: \($0)" }
        }
    }

    private func noteUse(of clones: [CloneRecord], _ container: Container) {
        for clone in clones {
            guard let server = CloneServer(container, clone).running else { continue }
            // What was started by a program that did not note it: its time begins now.
            let isNew = CloneUse.last(container, clone) == nil
            if isNew || (server.clientCount() ?? 0) > 0 { CloneUse.note(container, clone.name) }
        }
    }

    /// What killed commands left half-made may run, and hold data that nobody should see.
    private func removeUnfinished(_ container: Container) throws {
        let catalog = CloneCatalog(container)
        let left = try catalog.contents().records.filter { $0.isUnfinished && !CloneLock.isHeld(container, $0.name) }
        // A command that is at work on the container begins with that itself.
        guard !left.isEmpty, let lock = try? ContainerChange.lock(container, for: "clone expire", waitSeconds: 0) else {
            return
        }
        defer { lock.release() }
        var failure: (any Error)?
        let removed = try catalog.removeHalfMade { failure = failure ?? $1 }
        for name in removed { log.line("clone '\(name)' removed: its making had not ended") }
        if let failure { throw failure }
    }

    /// - Returns: what could not be done.
    private func keep(_ clones: [CloneRecord], _ container: Container, _ doubts: inout IdleDoubts) -> [String] {
        let expiry = CloneExpiry(container)
        do {
            let plan = try expiry.plan()
            doubts.forget(allBut: plan.steps.map(\.clone))
            let steps = plan.steps.filter { step in
                guard let clone = clones.first(where: { $0.name == step.clone }) else { return true }
                switch step.deed {
                case .stop: return doubts.areOver(clone, container, idleSeconds: container.settings.cloneIdleStop ?? 0)
                case .delete where CloneServer(container, clone).isRunning:
                    return doubts.areOver(clone, container, idleSeconds: CloneExpiryPlan.graceSeconds)
                case .delete: return true
                }
            }
            guard !steps.isEmpty else { return [] }
            let outcome = expiry.carryOut(steps)
            for name in outcome.stopped {
                let since = plan.steps.first { $0.clone == name }.map { Instant.local($0.since) } ?? ""
                log.line("clone '\(name)' stopped: not used since \(since); 'clone start \(name)' brings it back")
            }
            for name in outcome.deleted {
                let since = plan.steps.first { $0.clone == name }.map { Instant.local($0.since) } ?? ""
                log.line("clone '\(name)' deleted: its time was over at \(since)")
            }
            return outcome.failures
        } catch {
            return ["\(error)"]
        }
    }
}

/// Whether a clone that seems idle is: clients that came and went between two looks are known by its count of sessions.
///
/// Only such a clone is asked, and twice; one that is left in peace starts no process.
private struct IdleDoubts {
    /// By clone; another process is another count.
    private var asked: [String: (process: Int32, sessions: Int64, at: Double)] = [:]

    private static let longestPauseSeconds = 3600.0

    mutating func forget(allBut clones: [String]) {
        asked = asked.filter { clones.contains($0.key) }
    }

    mutating func areOver(_ clone: CloneRecord, _ container: Container, idleSeconds: Double) -> Bool {
        guard let server = CloneServer(container, clone).running else { return false }
        let before = asked[clone.name].flatMap { $0.process == server.pid ? $0 : nil }
        let now = SystemClock.monotonicSeconds()
        let pause = min(idleSeconds, Self.longestPauseSeconds)
        if let before, now - before.at < pause { return false }
        guard let sessions = CloneUse.sessions(container, clone) else { return false }
        // Our own session takes a moment to end, and would be taken for a client's.
        let deadline = Deadline(seconds: 2)
        while (server.clientCount() ?? 0) > 0, !deadline.hasPassed { SystemClock.sleep(seconds: 0.01) }
        defer { asked[clone.name] = (server.pid, sessions, now) }
        guard let before else { return false }
        // The one more is the session that asked before.
        if sessions <= before.sessions + 1 { return true }
        CloneUse.note(container, clone.name)
        return false
    }
}
