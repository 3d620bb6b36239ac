package import ArchiveModel
import Glibc
import Platform
package import PostgresLink
import WALFormat
import WALStore

/// Puts checked segments in the place of bad and missing ones.
///
/// A new file is whole, checked and synced before anything else is touched; then the bad one gets a second name in the
/// quarantine, and the new one takes its place in one step. Killed anywhere, the archive has the old file or the new.
package struct Repair: Sendable {
    private let verification: Verification
    private let connection: ConnectionString

    package init(_ verification: Verification, connection: ConnectionString) {
        self.verification = verification
        self.connection = connection
    }

    package struct Result: Codable, Sendable {
        package var name: String
        /// `fetched`, `broughtBack` (by restore_program), `unchanged`, `kept` (another copy was right) or `left`.
        package var done: String
        /// Where the bad files are kept.
        package var quarantined: [String]
        /// Why nothing could be done.
        package var reason: String?
    }

    package struct Outcome: Codable, Sendable {
        package var results: [Result]
        package var left: [RepairPlan.Left]
        /// Of the verification that followed.
        package var after: VerifyReport
    }

    /// What would be done, and the report it follows from.
    package func plan(deep: Bool, progress: Progress) throws -> (plan: RepairPlan, report: VerifyReport) {
        let begin = SystemClock.monotonicSeconds()
        let outcome = try verification.look(deep: deep, progress)
        let report = verification.report(outcome, deep: deep, since: begin, progress)
        return (RepairPlan(outcome.breaks, segmentSize: outcome.plan.facts.segmentSize), report)
    }

    package func run(deep: Bool, progress: Progress) throws -> (plan: RepairPlan, outcome: Outcome) {
        let gathering = verification.gathering
        let quarantine = Quarantine(archive: gathering.directory.path)
        try quarantine.make()
        let lock = try HeldLock.acquire(quarantine.lockFile, description: "wal_archive verify --repair")
        defer { lock.release() }
        // Compression reads a file and removes it: not one that is replaced meanwhile.
        let compression = try gathering.container.map {
            try HeldLock.acquire($0.paths.compressionLock, wait: 60, description: "wal_archive verify --repair")
        }
        defer { compression?.release() }
        try DurableFile.removeLeftovers(in: gathering.directory.path)
        let (plan, before) = try plan(deep: deep, progress: progress)
        var results: [Result] = []
        for step in plan.steps {
            progress.step("repairing \(step.name)")
            do {
                results.append(try carryOut(step, plan, quarantine))
            } catch let error as UpstreamSegments.Unavailable {
                results.append(Result(name: step.name, done: "left", quarantined: [], reason: "\(error)"))
            } catch let error as LinkError {
                results.append(Result(name: step.name, done: "left", quarantined: [], reason: "\(error)"))
            } catch let error as StoreError {
                results.append(Result(name: step.name, done: "left", quarantined: [], reason: "\(error)"))
            }
        }
        let after = plan.steps.isEmpty ? before : try verification.run(deep: deep, progress: progress)
        return (plan, Outcome(results: results, left: plan.left, after: after))
    }

    private var upstream: UpstreamSegments {
        UpstreamSegments(
            connection: connection,
            systemIdentifier: verification.gathering.systemIdentifier,
            segmentSize: verification.gathering.directory.segmentSize
        )
    }

    private func carryOut(_ step: RepairPlan.Step, _ plan: RepairPlan, _ quarantine: Quarantine) throws -> Result {
        let directory = verification.gathering.directory
        guard step.action == .replaceSegment, let name = SegmentName(step.name) else {
            try directory.storeHistory(step.timeline, text: try upstream.history(step.timeline))
            return Result(name: step.name, done: "fetched", quarantined: [])
        }
        let repairing = Set(plan.steps.filter { $0.timeline == step.timeline && $0.number > step.number }.map(\.number))
        let check = SegmentCheck(verification.gathering, ignoring: repairing)
        let stored = try verification.gathering.files(of: name)
        if stored.contains(where: { !$0.form.isComplete }), ReceiverLock.isHeld(directory.path) {
            throw UpstreamSegments.Unavailable(
                description:
                    "a receiver is at work, which may be writing it; if it does not complete it, stop the receiver"
            )
        }
        if step.suspects.count == 1, let right = try stored.first(where: { try check.isRight($0) }) {
            return try keep(right, of: stored, quarantine)
        }
        let temporary = DurableFile.temporaryName(for: FilePath.join(directory.path, step.name))
        do {
            let done = try fetch(name, to: temporary, check)
            if step.suspects.count > 1, try stored.contains(where: { try isEqual($0, temporary) }) {
                unlink(temporary)
                return Result(name: step.name, done: "unchanged", quarantined: [])
            }
            let kept = try install(temporary, name, replacing: stored, quarantine)
            return Result(name: step.name, done: done, quarantined: kept)
        } catch {
            unlink(temporary)
            throw error
        }
    }

    /// One of the files is right: it gets the plain name if it has none, the others go.
    private func keep(
        _ right: StoredSegment,
        of stored: [StoredSegment],
        _ quarantine: Quarantine
    ) throws -> Result {
        let directory = verification.gathering.directory
        let others = stored.filter { $0 != right }
        let kept = try others.map { try quarantine.keep($0.fileName) }
        try copyAgain(right.name)
        try FaultPoint.pass("repair.beforeRemove")
        for other in others { try directory.remove(other) }
        try FaultPoint.pass("repair.beforeName")
        if !right.form.isComplete {
            try DurableFile.renameNew(directory.path(of: right), FilePath.join(directory.path, "\(right.name)"))
        }
        try copyAgain(right.name)
        return Result(name: "\(right.name)", done: "kept", quarantined: kept)
    }

    /// From the upstream, or else from where `wal.restore_program` finds it.
    ///
    /// - Returns: how it was done.
    private func fetch(_ name: SegmentName, to temporary: String, _ check: SegmentCheck) throws -> String {
        do {
            try download(name, to: temporary)
            guard try check.isRight(name, at: temporary) else {
                throw UpstreamSegments.Unavailable(
                    description: "what the upstream sent does not go with the segments beside it"
                )
            }
            return "fetched"
        } catch {
            guard error is UpstreamSegments.Unavailable || error is LinkError,
                let program = verification.gathering.container.flatMap({ RestoreProgram($0) })
            else { throw error }
            unlink(temporary)
            guard try program.fetch(name, to: temporary),
                try UInt64(FileTree.size(temporary)) == verification.gathering.directory.segmentSize.bytes,
                try check.isRight(name, at: temporary)
            else { throw error }
            try DurableFile.syncFile(temporary)
            return "broughtBack"
        }
    }

    /// The copies have what was bad here, or may be taking it just now.
    private func copyAgain(_ name: SegmentName) throws {
        guard let container = verification.gathering.container else { return }
        try CopyMarks.copyAgain(name, container)
    }

    private func download(_ name: SegmentName, to path: String) throws {
        let file = try Descriptor.open(path, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW)
        try upstream.fetch(name, to: file)
        // As its neighbours: root repairs another's archive too.
        if geteuid() == 0 {
            let owner = try FileTree.status(FilePath.parent(of: path))
            fchown(file.raw, owner.uid, owner.gid)
        }
        try file.sync()
        try file.close()
    }

    /// Puts the new file in the place of what is there.
    private func install(
        _ temporary: String,
        _ name: SegmentName,
        replacing stored: [StoredSegment],
        _ quarantine: Quarantine
    ) throws -> [String] {
        let directory = verification.gathering.directory
        let final = FilePath.join(directory.path, "\(name)")
        try FaultPoint.pass("repair.beforeQuarantine")
        let kept = try stored.map { try quarantine.keep($0.fileName) }
        // Before, lest a repair that is killed leave it; and after, since a copy may take the old one until then.
        try copyAgain(name)
        try FaultPoint.pass("repair.beforeRename")
        if stored.contains(where: { $0.form == .plain }) {
            try DurableFile.rename(temporary, final)
        } else {
            try DurableFile.renameNew(temporary, final)
        }
        try FaultPoint.pass("repair.beforeRemove")
        // The plain form comes first: from here on it is what everybody reads.
        for other in stored where other.form != .plain { try directory.remove(other) }
        try copyAgain(name)
        try FaultPoint.pass("repair.done")
        return kept
    }

    private func isEqual(_ stored: StoredSegment, _ path: String) throws -> Bool {
        let directory = verification.gathering.directory
        guard let start = stored.name.start(size: directory.segmentSize) else { return false }
        let fresh = StoredSegment(name: stored.name, form: .plain, bytes: directory.segmentSize.bytes)
        let reader = try SegmentReader(fresh, path: path, start: start)
        return (try? SegmentCheck.haveSameContent(try directory.reader(of: stored), reader)) ?? false
    }
}
