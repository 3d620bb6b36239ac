import ArchiveModel
import Platform
import PostgresLink
import WALFormat

/// Looks after the clones while a supervisor runs: notes their use, stops and removes those that nobody needs, and
/// counts what each holds.
final class CloneKeeper: Sendable {
    private let container: Container
    private let log: SupervisorLog
    private let ending: EventDescriptor

    private static let lookMilliseconds: Int32 = 5000
    /// Between two questions to a clone for its clients.
    private static let askSeconds = 20.0

    init(_ container: Container, log: SupervisorLog) throws {
        self.container = container
        self.log = log
        self.ending = try EventDescriptor()
    }

    func end() { ending.signal() }

    func run() {
        var space = CloneSpace()
        var watch = UseWatch()
        var askedAt = -Self.askSeconds
        var lastTrouble: [String] = []
        repeat {
            var trouble: [String] = []
            do {
                let clones = try CloneCatalog(container).listed().filter { !$0.isLook }
                // The settings as they are now.
                let current = try Container.open(container.paths.root)
                let now = SystemClock.monotonicSeconds()
                if now - askedAt >= Self.askSeconds {
                    watch.look(at: clones, current)
                    askedAt = now
                }
                do { try removeUnfinished(current) } catch { trouble.append("\(error)") }
                trouble += keep(current)
                space.count(clones.map(\.name), current)
            } catch {
                trouble = ["\(error)"]
            }
            for line in trouble where !lastTrouble.contains(line) { log.line("clones: \(line)") }
            lastTrouble = trouble
        } while (try? Poll.wait(for: ending.raw, timeoutMilliseconds: Self.lookMilliseconds)) == false
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
        for name in try catalog.removeHalfMade() { log.line("clone '\(name)' removed: its making had not ended") }
    }

    /// - Returns: what could not be done.
    private func keep(_ container: Container) -> [String] {
        let expiry = CloneExpiry(container)
        do {
            let plan = try expiry.plan()
            guard !plan.steps.isEmpty else { return [] }
            let outcome = expiry.carryOut(plan)
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

/// Sees whether clones were used between two looks, also by clients that have gone again.
private struct UseWatch {
    /// Sessions that a clone had counted at the last look, by its name and process.
    private var counted: [String: Int64] = [:]

    mutating func look(at clones: [CloneRecord], _ container: Container) {
        var seen: [String: Int64] = [:]
        for clone in clones where clone.state == .recovered {
            guard let server = CloneServer(container, clone).running,
                let activity = CloneUse.activity(container, clone)
            else { continue }
            let key = "\(clone.name) \(server.pid)"
            // What was started by a program that did not note it: its time begins now.
            if CloneUse.last(container, clone) == nil { CloneUse.note(container, clone.name) }
            // The one more is the session that asked the last time.
            let hadOthers = counted[key].map { activity.sessions > $0 + 1 } ?? false
            if activity.clients > 0 || hadOthers { CloneUse.note(container, clone.name) }
            seen[key] = activity.sessions
        }
        counted = seen
    }
}
