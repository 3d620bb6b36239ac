package import ArchiveModel
import Platform
package import WALFormat
import WALStore

/// Removes what a retention plan says, in its order, each fact looked at again just before its step.
package struct Expiry: Sendable {
    let container: Container

    package init(_ container: Container) {
        self.container = container
    }

    /// An expiry date that nobody gave for this run.
    package struct StandingDate: Sendable {
        package let instant: PostgresTime
        /// Why it is another than was asked for.
        package let remark: String?
    }

    /// The date by which snapshots expire as a rule: put back by the time for which nothing has been received.
    package func standing(_ date: PostgresTime) -> StandingDate {
        let snapshots = (try? SnapshotCatalog(container).all()) ?? []
        let now = PostgresTime(unixMicroseconds: SystemClock.now())
        let sign = LastSign(
            receiver: receiverStatus,
            lastCommit: snapshots.compactMap(\.lastTransactionTime).max(),
            now: now
        )
        let measured = sign.measured(date, now: now)
        guard measured != date else { return StandingDate(instant: date, remark: nil) }
        let rest = "EXPIRE_DATE in the environment asks for another date"
        guard case .at(let last) = sign else {
            return StandingDate(
                instant: measured,
                remark: "no snapshot expires, since nothing tells when the upstream was last heard; \(rest)"
            )
        }
        return StandingDate(
            instant: measured,
            remark: "nothing has been received from the upstream since \(Instant.local(last)): the expiry date is "
                + "measured from then, so that what was before stays; \(rest)"
        )
    }

    /// What would be removed now, and why the rest stays.
    package func plan(expire: PostgresTime) throws -> RetentionPlan {
        guard expire.unixMicroseconds <= SystemClock.now() + 60_000_000 else {
            throw ArchiveError(
                .refused,
                "the expiry date lies in the future: \(Instant.local(expire))",
                hint: "dates back in time end with 'ago', e.g. '1 week ago'"
            )
        }
        let inventory = try inventory()
        let plan = RetentionPlan(inventory: inventory, expire: expire, minimum: container.settings.keepMinimum)
        try requireSoundClock(plan, inventory)
        return plan
    }

    /// Where WAL is pushed nobody hears the upstream: what a receiver heard earlier says nothing of now.
    private var receiverStatus: ReceiverStatus? {
        guard container.settings.walIngest.streams else { return nil }
        return (try? JSONFile.read(ReceiverStatus.self, from: container.paths.receiverStatus)) ?? nil
    }

    /// A clock that jumped ahead makes all snapshots old at once: most of them go only when it is believed.
    private func requireSoundClock(_ plan: RetentionPlan, _ inventory: RetentionInventory) throws {
        let all = inventory.snapshots
        guard ClockEvidence.isMassDeletion(plan.snapshotsToDelete.count, of: all.count) else { return }
        let receiver = receiverStatus
        let evidence = ClockEvidence(
            heardAt: receiver?.heardAt,
            upstreamClock: receiver?.heartbeatClock,
            newestSnapshot: all.map(\.createdAt).max()
        )
        guard let objection = evidence.objection(now: PostgresTime(unixMicroseconds: SystemClock.now())) else { return }
        throw ArchiveError(
            .refused,
            "\(plan.snapshotsToDelete.count) of \(all.count) snapshots would be removed, though \(objection)",
            hint: "check the clocks, and the connection to the upstream; 'pgarchive snapshot delete' asks no clock"
        )
    }

    private func inventory() throws -> RetentionInventory {
        let snapshots = try SnapshotCatalog(container).contents()
        if let damaged = snapshots.damaged.first {
            throw ArchiveError(
                .refused,
                "nothing is expired while it is unknown what snapshot '\(damaged.name)' needs: \(damaged.problem)",
                hint: "'pgarchive snapshot delete \(damaged.name)' removes it"
            )
        }
        let segments = try container.walDirectory.list().segments.filter(\.form.isComplete).map(\.name)
        return RetentionInventory(
            snapshots: snapshots.records,
            clones: try CloneCatalog(container).all().map {
                RetentionInventory.Clone(
                    name: "clone '\($0.name)'",
                    snapshot: $0.snapshot,
                    redo: $0.redo,
                    needsWAL: $0.state == .creating || $0.state == .created
                )
            }
                + RestoreHold.all(container).map {
                    RetentionInventory.Clone(
                        name: "the restore to '\($0.directory)'",
                        snapshot: $0.snapshot,
                        redo: $0.redo,
                        needsWAL: true
                    )
                },
            standbyRedo: try? ControlFileReader.read(container.paths.standbyTree).checkpointRedo,
            segments: segments,
            segmentSize: container.segmentSize,
            uncopied: try WALArchiveFiles.uncopied(segments, container)
        )
    }

    /// What was removed.
    package struct Outcome: Codable, Sendable {
        package var snapshots: [String]
        package var segments: Int
        package var segmentBytes: UInt64
    }

    package func run(expire: PostgresTime) throws -> Outcome {
        let lock = try ContainerChange.lock(container, for: "snapshot expire")
        defer { lock.release() }
        let delete = SnapshotDelete(container)
        try SnapshotCatalog(container).removeHalfMade()
        try CloneCatalog(container).removeHalfMade()
        var outcome = Outcome(snapshots: [], segments: 0, segmentBytes: 0)
        for snapshot in try plan(expire: expire).snapshotsToDelete {
            try FaultPoint.pass("expiry.beforeSnapshot")
            try delete.remove(snapshot.name)
            outcome.snapshots.append(snapshot.name)
        }
        // From what is there now: the snapshots above are gone, whatever else came or went stays accounted for.
        let after = try plan(expire: expire)
        let directory = container.walDirectory
        for name in after.segmentsToRemove {
            guard let stored = try directory.locate(name), stored.form.isComplete else { continue }
            try FaultPoint.pass("expiry.beforeSegment")
            try directory.remove(stored)
            outcome.segments += 1
            outcome.segmentBytes += stored.bytes
        }
        return outcome
    }
}
