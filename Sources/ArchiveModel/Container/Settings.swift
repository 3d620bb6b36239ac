/// What people edit (`pgarchive.toml`); every key has a default.
package struct Settings: Hashable, Sendable {
    /// Connection to the upstream for SQL; empty: local connection with libpq's defaults.
    package var upstream = ""
    /// Connection for replication; empty: `upstream` with `user=replication`.
    package var upstreamReplication = ""
    package var slot = ""
    package var walIngest = WALIngest.stream
    /// Commits upstream may wait for this archive: every record is fsynced and reported at once.
    package var walSynchronous = false
    /// Where completed segments go besides, each with its own program.
    package var walCopies: [WALCopy] = []
    /// A shell command that brings a segment back which is no longer here; empty: none.
    package var restoreProgram = ""
    /// shared_buffers of the standby; empty: an eighth of the memory, at most 1 GB.
    package var standbySharedBuffers = ""
    /// Libraries the standby and the clones must load to replay (those with resource managers of their own).
    package var preloadLibraries = ""
    /// WAL that a new snapshot may leave a clone to replay when upstream's last checkpoint is older; in bytes.
    package var snapshotDebtBytes: UInt64 = 256 << 20
    /// How many of the newest snapshots have an image.
    package var snapshotReady = 1
    /// As `date --date` understands it: how far back any moment stays reachable.
    package var expireDate = "1 week ago"
    /// Usable snapshots that expiry always leaves.
    package var keepMinimum = 2
    package var clonePorts: ClosedRange<Int> = 5500...5599
    /// shared_buffers of a clone; empty: 256 MB and twice the WAL that it replays, at most a twentieth of the memory
    /// and 2 GB, so that ten fit beside each other.
    ///
    /// The system hands out a page of it when it is first used: a clone that reads little takes little.
    package var cloneSharedBuffers = ""
    /// After so many seconds a new clone is removed, when nothing else is said; nil: it stays.
    package var cloneExpireAfter: Double?
    /// A clone that nobody has used for so many seconds is stopped; nil: never.
    package var cloneIdleStop: Double? = 86_400

    package init() {}
}
