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
    ///   - name: this one, its time over or not.
    ///   - all: all of them, their time over or not.
    func run(only name: String? = nil, all: Bool = false) {
        guard let looks = try? CloneCatalog(container).contents().records.filter(\.isLook) else { return }
        let now = PostgresTime(unixMicroseconds: SystemClock.now())
        for record in looks {
            let isOver = all || (record.keptUntil ?? now) <= now
            if name.map({ $0 == record.name }) ?? isOver { try? remove(record) }
        }
    }

    private func remove(_ record: CloneRecord) throws {
        // Alone: somebody who looks holds it too.
        let lease = try HeldLock.acquire(container.paths.lookLease(record.name), description: "removing the look")
        defer { lease.release() }
        if record.state.isMade {
            _ = try CloneServer(container, record).stop(mode: .immediate, timeoutSeconds: 30)
        }
        try CloneDelete(container).run(name: record.name)
        try FileTree.removeFile(lease.path)
    }
}

/// Removes looks whose time is over while a supervisor runs.
final class LookKeeper: Sendable {
    private let container: Container
    private let ending: EventDescriptor

    private static let lookMilliseconds: Int32 = 5000

    init(_ container: Container) throws {
        self.container = container
        self.ending = try EventDescriptor()
    }

    func end() { ending.signal() }

    func run() {
        repeat {
            LookRemoval(container).run()
        } while (try? Poll.wait(for: ending.raw, timeoutMilliseconds: Self.lookMilliseconds)) == false
        // Nobody would remove them later.
        LookRemoval(container).run(all: true)
    }
}
