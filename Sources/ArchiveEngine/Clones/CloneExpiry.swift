package import ArchiveModel
import Platform
import PostgresLink
import WALFormat

/// Stops clones that nobody uses, and removes those whose time is over, each looked at again just before its step.
package struct CloneExpiry: Sendable {
    let container: Container

    package init(_ container: Container) {
        self.container = container
    }

    package func plan() throws -> CloneExpiryPlan {
        plan(of: try CloneCatalog(container).listed().filter { !$0.isLook })
    }

    private func plan(of records: [CloneRecord], holdingLock: Bool = false) -> CloneExpiryPlan {
        CloneExpiryPlan(
            clones: records.map { record in
                let server = CloneServer(container, record).running
                let lastUsed = CloneUse.last(container, record)
                return CloneExpiryPlan.Clone(
                    name: record.name,
                    isProtected: record.isProtected,
                    expiresAt: record.expiresAt,
                    isRunning: server != nil,
                    clients: server.map { $0.clientCount() } ?? 0,
                    isLocked: !holdingLock && CloneLock.isHeld(container, record.name),
                    lastUsed: lastUsed ?? record.createdAt,
                    wasUsed: lastUsed != nil
                )
            },
            now: .current,
            idleStop: container.settings.cloneIdleStop
        )
    }

    /// What was done.
    package struct Outcome: Codable, Sendable {
        package var stopped: [String] = []
        package var deleted: [String] = []
        /// Why what was planned could not be done.
        package var failures: [String] = []
    }

    package func run() throws -> Outcome { carryOut(try plan()) }

    func carryOut(_ plan: CloneExpiryPlan) -> Outcome { carryOut(plan.steps) }

    func carryOut(_ steps: [CloneExpiryPlan.Step]) -> Outcome {
        var outcome = Outcome()
        for step in steps {
            do {
                if try stop(step), step.deed == .stop { outcome.stopped.append(step.clone) }
                if step.deed == .delete, try delete(step) { outcome.deleted.append(step.clone) }
            } catch {
                outcome.failures.append("clone '\(step.clone)': \(error)")
            }
        }
        return outcome
    }

    /// Whether it is stopped now, and was not.
    private func stop(_ step: CloneExpiryPlan.Step) throws -> Bool {
        guard let lock = try? CloneLock.take(container, step.clone, for: "clone expire", waitSeconds: 0) else {
            return false
        }
        defer { lock.release() }
        guard let record = stillPlanned(step), let server = CloneServer(container, record).running else { return false }
        try server.stop(.fast, timeoutSeconds: 60)
        return true
    }

    /// Removes it; not what has been started meanwhile.
    private func delete(_ step: CloneExpiryPlan.Step) throws -> Bool {
        let change = try ContainerChange.lock(container, for: "clone expire", waitSeconds: 5)
        defer { change.release() }
        guard let lock = try? CloneLock.take(container, step.clone, for: "clone expire", waitSeconds: 0) else {
            return false
        }
        defer { lock.release() }
        guard let record = stillPlanned(step), !CloneServer(container, record).isRunning else { return false }
        try CloneDelete(container).remove(record.name, lock)
        return true
    }

    /// The clone's record, when what it was planned for still holds; nil when it does not.
    private func stillPlanned(_ step: CloneExpiryPlan.Step) -> CloneRecord? {
        guard let record = try? CloneCatalog(container).find(step.clone), !record.isLook else { return nil }
        let steps = plan(of: [record], holdingLock: true).steps
        return steps.contains { $0.deed == step.deed } ? record : nil
    }
}
