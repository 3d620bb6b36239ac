import ArchiveModel
import Platform
import PostgresLink
import WALFormat

/// Removes looks that nobody uses, once their time is over.
struct LookRemoval {
    private let container: Container

    init(_ container: Container) {
        self.container = container
    }

    /// What cannot be removed now is left to whoever comes next.
    ///
    /// - Parameters:
    ///   - name: only this one.
    ///   - all: also those whose time is not over.
    /// - Returns: why one could not be removed.
    @discardableResult
    func run(only name: String? = nil, all: Bool = false) -> String? {
        do {
            let now = PostgresTime(unixMicroseconds: SystemClock.now())
            let looks = try CloneCatalog(container).contents().records.filter { look in
                look.isLook && name.map { $0 == look.name } ?? true
            }
            for look in looks {
                // One that has ended, perhaps with its host, is of no use.
                let isOver = try all || (look.keptUntil ?? now) <= now || !isRunning(look)
                if isOver { try remove(look) }
            }
            return nil
        } catch {
            return "\(error)"
        }
    }

    private func isRunning(_ look: CloneRecord) throws -> Bool {
        look.state.isMade && CloneServer(container, look).isRunning
    }

    private func remove(_ look: CloneRecord) throws {
        let lease: HeldLock
        do {
            // Alone: somebody who looks, or makes it, holds it too.
            lease = try HeldLock.acquire(container.paths.lookLease(look.name), description: "removing the look")
        } catch is LockConflict {
            return
        }
        defer { lease.release() }
        if try isRunning(look) {
            _ = try CloneServer(container, look).stop(mode: .immediate, timeoutSeconds: 30)
        }
        do {
            try CloneDelete(container).run(name: look.name)
        } catch let error as ArchiveError where error.code == .notFound {
            // Somebody was quicker.
        }
        try FileTree.removeFile(lease.path)
    }

    /// Leases whose looks are gone in another way.
    func removeLeases() throws {
        for name in try FileTree.list(container.paths.run) {
            guard let look = ContainerPaths.look(ofLease: name),
                !FileTree.exists(container.paths.clone(look).directory),
                let lease = try? HeldLock.acquire(container.paths.lookLease(look), description: "removing the lease")
            else { continue }
            try FileTree.removeFile(lease.path)
            lease.release()
        }
    }
}

/// Removes looks whose time is over while a supervisor runs.
final class LookKeeper: Sendable {
    private let container: Container
    private let rounds: Rounds

    init(_ container: Container, log: SupervisorLog) throws {
        self.container = container
        self.rounds = try Rounds(everyMilliseconds: 5000, log: log)
    }

    func end() { rounds.end() }

    func run() {
        rounds.run { LookRemoval(container).run().map { ["a throwaway server is not removed: \($0)"] } ?? [] }
    }
}
