package import ArchiveModel
package import WALFormat

/// What is known of an upstream after a look at it.
package struct UpstreamFacts: Sendable {
    package struct Tablespace: Sendable, Hashable {
        package let oid: UInt32
        package let name: String
        /// The directory on the upstream's machine.
        package let location: String
    }

    package var systemIdentifier: UInt64
    package var timeline: TimelineID
    package var major: PostgresMajor
    /// As the server says it: `15.18`.
    package var version: String
    package var segmentSize: SegmentSize
    package var hotStandby: HotStandbyParameters
    /// Of the data directory: 0o700, or 0o750 when its group may read.
    package var dataDirectoryMode: UInt32
    /// Besides pg_default and pg_global.
    package var tablespaces: [Tablespace]
    /// A superuser that may log in, the bootstrap one first; nil when there is none.
    package var superuser: String?
    /// The databases' size together, nil when it cannot be read.
    package var bytes: UInt64?
    /// `max_slot_wal_keep_size` in bytes, nil without a limit.
    package var slotKeepBytes: UInt64?
    /// Whether it runs an archive_command or an archive library of its own.
    package var archives: Bool
    /// The slot of the asked-for name, nil when there is none.
    package var slot: UpstreamSlot?
}

/// A replication slot that exists.
package struct UpstreamSlot: Sendable, Hashable {
    package let name: String
    package let isPhysical: Bool
    package let isActive: Bool
    /// Nil when it reserves no WAL.
    package let restart: LSN?
    /// `reserved`, `extended`, `unreserved`, `lost`; nil when it reserves no WAL.
    package let walStatus: String?
}
