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

    private let container: Container
    private let lease: HeldLock
    private let keepSeconds: Double

    private init(
        _ container: Container,
        _ record: CloneRecord,
        port: Int,
        lease: HeldLock,
        keepSeconds: Double
    ) {
        self.container = container
        self.record = record
        self.port = port
        self.lease = lease
        self.keepSeconds = keepSeconds
    }

    /// Finds or makes a look at the end of a plan.
    ///
    /// - Parameters:
    ///   - keepSeconds: how long it stays behind its last use, where a supervisor runs to remove it.
    ///   - alone: for one who writes into it: it takes writes, is shared with nobody, and goes with its use.
    package static func open(
        _ container: Container,
        _ plan: RestorePlan,
        requested: String,
        keepSeconds: Double,
        alone: Bool = false,
        progress: Progress = .silent,
        interruption: Interruption? = nil
    ) throws -> Look {
        // Where a supervisor runs, it does that.
        if !isKept(container) { LookRemoval(container).run() }
        if !alone {
            if let look = try shared(container, plan, keepSeconds) { return look }
            if let look = try moved(container, plan, requested, keepSeconds, progress, interruption) { return look }
        }
        let name = "look-" + String(UInt32.random(in: .min ... .max), radix: 16)
        // First: what nobody holds is removed by whoever comes by.
        // Who writes into it is alone from the start: until it is promoted its record looks like any other's.
        let lease =
            alone
            ? try HeldLock.acquire(container.paths.lookLease(name), description: "looking alone")
            : try Self.lease(container, name)
        do {
            let record = try CloneCreate(container, progress: progress, interruption: interruption)
                .run(name: name, plan: plan, requested: requested, keptUntil: until(0))
            let started = try CloneServer(container, record, walIsChecked: plan.isWholeRead)
                .start(progress: progress, interruption: interruption)
            return Look(
                container,
                alone ? try promote(container, name, started.port, interruption) : try noted(container, name),
                port: started.port,
                lease: lease,
                keepSeconds: alone ? 0 : keepSeconds
            )
        } catch {
            lease.release()
            LookRemoval(container).run(only: name)
            throw error
        }
    }

    /// With what a look at the end of a plan begins.
    package static func source(_ container: Container, _ plan: RestorePlan) throws -> RecoverySource {
        plan.source(
            looks: try CloneCatalog(container).listed(),
            image: ReadyImages(container).image(of: plan.snapshot)
        )
    }

    /// Its record, with what tells whether somebody writes into it.
    private static func noted(_ container: Container, _ name: String) throws -> CloneRecord {
        var made = try CloneCatalog(container).find(name)
        guard made.state == .recovered else { return made }
        made.nextTransaction = try nextTransaction(container, port: made.port)
        try CloneCatalog(container).save(made)
        return made
    }

    /// A look that nobody uses, let forward to the plan's stop: only the WAL between the two is replayed.
    ///
    /// - Returns: nil where there is none, or it did not get there; then it is gone.
    private static func moved(
        _ container: Container,
        _ plan: RestorePlan,
        _ requested: String,
        _ keepSeconds: Double,
        _ progress: Progress,
        _ interruption: Interruption?
    ) throws -> Look? {
        guard case .look(let name, let position) = try source(container, plan), position < plan.stop,
            let lease = try? HeldLock.acquire(container.paths.lookLease(name), description: "moving the look")
        else { return nil }
        do {
            var record = try CloneCatalog(container).find(name)
            // Before the lease was held another may have moved it.
            guard plan.source(looks: [record]) == .look(name, at: position), isStandby(container, record),
                let server = CloneServer(container, record).running, !hasClients(server)
            else {
                lease.release()
                return nil
            }
            let keptUntil = record.keptUntil
            record.goOn(to: plan, requested: requested)
            // From here on it is at neither moment: nobody shares it, and whoever comes by removes it.
            record.keptUntil = until(0)
            try CloneCatalog(container).save(record)
            try FaultPoint.pass("look.moving")
            try CloneServer(container, record, walIsChecked: plan.readFrom <= position)
                .goOn(progress: progress, interruption: interruption)
            var made = try noted(container, name)
            // It stays as long as it was to, though this use be shorter.
            made.keptUntil = keptUntil
            try CloneCatalog(container).save(made)
            try lease.share()
            return Look(container, made, port: made.port, lease: lease, keepSeconds: keepSeconds)
        } catch {
            lease.release()
            LookRemoval(container).run(only: name, all: true)
            try interruption?.check()
            return nil
        }
    }

    /// Whether somebody is connected who has no lease, as by `clone psql` or the port.
    ///
    /// The sessions of its last use need a moment to end. What cannot be seen may be anybody.
    private static func hasClients(_ server: RunningServer) -> Bool {
        let deadline = Deadline(seconds: 2)
        while let count = server.clientCount(), count > 0, !deadline.hasPassed { SystemClock.sleep(seconds: 0.005) }
        return server.clientCount() != 0
    }

    /// One that is written into: as no number of a transaction is noted, nobody else takes it.
    private static func promote(
        _ container: Container,
        _ name: String,
        _ port: Int,
        _ interruption: Interruption?
    ) throws -> CloneRecord {
        let connection = try LocalLink.connect(container: container, port: port)
        defer { connection.close() }
        if try connection.value("SELECT pg_is_in_recovery()") == "t" {
            _ = try connection.value("SELECT pg_promote(false)")
            let deadline = Deadline(seconds: 60)
            while try connection.value("SELECT pg_is_in_recovery()") == "t" {
                try interruption?.check()
                guard !deadline.hasPassed else {
                    throw ArchiveError(.failed, "the throwaway server was not promoted within a minute")
                }
                SystemClock.sleep(seconds: 0.003)
            }
        }
        var made = try CloneCatalog(container).find(name)
        made.state = .recovered
        made.nextTransaction = nil
        try CloneCatalog(container).save(made)
        return made
    }

    private static func shared(_ container: Container, _ plan: RestorePlan, _ keepSeconds: Double) throws -> Look? {
        for record in try CloneCatalog(container).listed()
        where record.isLook && record.stop == plan.stop && record.path == plan.path {
            // Gone, or going.
            guard let lease = try? Self.lease(container, record.name) else { continue }
            guard let current = try? CloneCatalog(container).find(record.name), isUnchanged(container, current) else {
                lease.release()
                continue
            }
            return Look(
                container,
                current,
                port: current.port,
                lease: lease,
                keepSeconds: keepSeconds
            )
        }
        return nil
    }

    /// Whether it runs, and shows what it did at first.
    private static func isUnchanged(_ container: Container, _ record: CloneRecord) -> Bool {
        guard CloneServer(container, record).isRunning else { return false }
        switch record.state {
        case .held: return isStandby(container, record)
        case .recovered:
            guard let noted = record.nextTransaction else { return false }
            return (try? nextTransaction(container, port: record.port)) == noted
        case .creating, .created, .deleting, .branch: return false
        }
    }

    /// Whether it recovers still: a superuser who looks may have promoted it, which removes the file.
    private static func isStandby(_ container: Container, _ record: CloneRecord) -> Bool {
        record.state == .held && FileTree.exists(container.paths.clone(record.name).tree.standbySignal)
    }

    /// Somebody who asks for it can write where it was promoted; whoever does takes an id.
    private static func nextTransaction(_ container: Container, port: Int) throws -> String? {
        let connection = try LocalLink.connect(container: container, port: port)
        defer { connection.close() }
        return try connection.value("SELECT pg_snapshot_xmax(pg_current_snapshot())::text")
    }

    /// Ends this use; the look stays for a while, or is removed.
    package func close() {
        // Another may want it for longer.
        if keepSeconds > 0, var left = try? CloneCatalog(container).find(record.name) {
            left.keptUntil = max(left.keptUntil ?? Self.until(0), Self.until(keepSeconds))
            try? CloneCatalog(container).save(left)
        }
        lease.release()
        LookRemoval(container).run(only: record.name, all: !Self.isKept(container))
    }

    /// Whether a supervisor removes looks when their time is over.
    private static func isKept(_ container: Container) -> Bool {
        (try? HeldLock.isHeld(container.paths.supervisorLock)) ?? nil != nil
    }

    private static func lease(_ container: Container, _ name: String) throws -> HeldLock {
        try HeldLock.acquire(container.paths.lookLease(name), shared: true, description: "looking")
    }

    private static func until(_ seconds: Double) -> PostgresTime {
        PostgresTime(unixMicroseconds: SystemClock.now() + Int64(seconds * 1_000_000))
    }
}
