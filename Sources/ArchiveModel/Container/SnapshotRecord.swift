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
    package var driver: StorageDriverKind
    /// False when taken by force from a standby that was not replaying.
    package var live: Bool

    package init(
        name: String,
        createdAt: PostgresTime,
        timeline: TimelineID,
        redo: LSN,
        consistent: LSN,
        replayed: LSN,
        lastTransactionTime: PostgresTime?,
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
        self.driver = driver
        self.live = live
    }

    /// WAL that a clone of the snapshot's own moment has to replay.
    package var debtBytes: UInt64 { replayed.bytes(since: redo) }
}
