package import WALFormat

/// A snapshot's metadata (`snapshot.json`), written last: without it there is no snapshot.
package struct SnapshotRecord: Codable, Hashable, Sendable {
    package static let currentFormat = 1

    package var format: Int
    package var name: String
    package var createdAt: PostgresTime
    package var timeline: TimelineID
    /// Where recovery begins: pg_control's checkpoint redo, or the backup_label's start for a copy that is not atomic.
    package var redo: LSN
    /// The first position at which a clone is consistent (pg_control's minRecoveryPoint): the earliest target.
    package var consistent: LSN
    /// How far the standby had replayed.
    package var replayed: LSN
    /// The newest commit or abort that the standby had replayed.
    package var lastTransactionTime: PostgresTime?
    /// Upstream's clock at the checkpoint from which recovery begins, in whole seconds: what committed before `redo`
    /// committed no later than a second after it.
    package var checkpointTime: PostgresTime
    package var driver: StorageDriverKind
    /// False when taken by force from a standby that was not replaying, or while full pages were not written: not taken
    /// for a clone unless it is named, and not counted by expiry.
    package var live: Bool

    package init(
        name: String,
        createdAt: PostgresTime,
        timeline: TimelineID,
        redo: LSN,
        consistent: LSN,
        replayed: LSN,
        lastTransactionTime: PostgresTime?,
        checkpointTime: PostgresTime,
        driver: StorageDriverKind,
        live: Bool
    ) {
        self.format = Self.currentFormat
        self.name = name
        self.createdAt = createdAt
        self.timeline = timeline
        self.redo = redo
        self.consistent = consistent
        self.replayed = replayed
        self.lastTransactionTime = lastTransactionTime
        self.checkpointTime = checkpointTime
        self.driver = driver
        self.live = live
    }

    /// The first moment that can be asked of it: nothing it holds from before its redo committed later.
    package var earliestTime: PostgresTime {
        let bound = PostgresTime(rawValue: checkpointTime.rawValue &+ 1_000_000)
        return lastTransactionTime.map { min($0, bound) } ?? bound
    }

    /// The first moment that a clone of it can be asked for.
    package var earliestTarget: PostgresTime { lastTransactionTime ?? earliestTime }

    /// WAL that a clone of the snapshot's own moment has to replay.
    package var debtBytes: UInt64 { replayed.bytes(since: redo) }
}
