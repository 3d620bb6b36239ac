package import ArchiveModel
import Platform
import PostgresLink
import WALFormat

/// A moment of the past to look at: a clone that stays at its target as a hot standby, takes no writes, and goes again.
///
/// Whoever asks for the same moment meanwhile shares it.
package final class Look: Sendable {
    package let record: CloneRecord
    /// Its socket's number; it listens nowhere else.
    package let port: Int
    /// It was there already.
    package let isShared: Bool

    private let container: Container
    private let lease: HeldLock
    private let keepSeconds: Double

    private init(
        _ container: Container,
        _ record: CloneRecord,
        port: Int,
        lease: HeldLock,
        keepSeconds: Double,
        isShared: Bool
    ) {
        self.container = container
        self.record = record
        self.port = port
        self.lease = lease
        self.keepSeconds = keepSeconds
        self.isShared = isShared
    }

    /// Finds or makes a look at the end of a plan.
    ///
    /// - Parameter keepSeconds: how long it stays behind its last use, where a supervisor runs to remove it.
    package static func open(
        _ container: Container,
        _ plan: RestorePlan,
        requested: String,
        keepSeconds: Double,
        progress: Progress = .silent,
        interruption: Interruption? = nil
    ) throws -> Look {
        LookRemoval(container).run()
        if let look = try shared(container, plan, keepSeconds) { return look }
        let name = "look-" + String(UInt32.random(in: .min ... .max), radix: 16)
        // First: what nobody holds is removed by whoever comes by.
        let lease = try Self.lease(container, name)
        do {
            let record = try CloneCreate(container, progress: progress, interruption: interruption)
                .run(name: name, plan: plan, requested: requested, keptUntil: until(0))
            let started = try CloneServer(container, record, walIsChecked: plan.isWholeRead)
                .start(progress: progress, interruption: interruption)
            return Look(
                container,
                try CloneCatalog(container).find(name),
                port: started.port,
                lease: lease,
                keepSeconds: keepSeconds,
                isShared: false
            )
        } catch {
            lease.release()
            LookRemoval(container).run(only: name)
            throw error
        }
    }

    private static func shared(_ container: Container, _ plan: RestorePlan, _ keepSeconds: Double) throws -> Look? {
        for record in try CloneCatalog(container).listed()
        where record.isLook && record.state == .held && record.stop == plan.stop && record.path == plan.path {
            // Gone, or going.
            guard let lease = try? Self.lease(container, record.name) else { continue }
            guard let current = try? CloneCatalog(container).find(record.name), current.state == .held,
                CloneServer(container, current).isRunning
            else {
                lease.release()
                continue
            }
            return Look(
                container,
                current,
                port: current.port,
                lease: lease,
                keepSeconds: keepSeconds,
                isShared: true
            )
        }
        return nil
    }

    /// Ends this use; the look stays for a while, or is removed.
    package func close() {
        let stays = keepSeconds > 0 && (try? HeldLock.isHeld(container.paths.supervisorLock)) ?? nil != nil
        var left = record
        left.keptUntil = Self.until(stays ? keepSeconds : 0)
        try? CloneCatalog(container).save(left)
        lease.release()
        if !stays { LookRemoval(container).run(only: record.name) }
    }

    private static func lease(_ container: Container, _ name: String) throws -> HeldLock {
        try HeldLock.acquire(container.paths.lookLease(name), shared: true, description: "looking")
    }

    private static func until(_ seconds: Double) -> PostgresTime {
        PostgresTime(unixMicroseconds: SystemClock.now() + Int64(seconds * 1_000_000))
    }
}
