package import WALFormat

/// What a receiver wants of its replication connection; times in seconds.
package struct ReplicationSettings: Equatable, Sendable {
    package var slot: SlotName?
    /// Make the slot anew when it is gone or invalidated; otherwise that is an error.
    package var recreatesSlot = false
    /// Nil: whatever the server has.
    package var systemIdentifier: UInt64?
    package var segmentSize: SegmentSize?
    /// Make each record durable as it comes and say so at once.
    package var isSynchronous = false
    /// 0: only when something advances or the server asks.
    package var statusIntervalSeconds = 10.0
    /// How often the server is asked for its clock; 0: never.
    package var heartbeatIntervalSeconds = 0.0
    package var pingAfterSeconds = 30.0
    package var silenceLimitSeconds = 60.0
    /// How long a complete record may stay not durable while the segment is not full.
    package var syncAfterSeconds = 0.5
    /// Stop once a record that ends beyond is durable.
    package var endPosition: LSN?
    /// Ask which rights the server's own files have.
    package var asksForFileMode = false

    package init() {}

    /// Reporting a flush position makes us eligible as a synchronous standby; without a slot nobody needs it then.
    package var reportsFlush: Bool { slot != nil || isSynchronous }
}
