package import PostgresLink
package import WALFormat
package import WALStore

/// All that a receiver needs to know, for a container as for the stand-alone form; times in seconds.
package struct ReceiverOptions: Sendable {
    /// The connection string of a role with REPLICATION.
    package var connection: String
    /// Where the segments go; it must be there.
    package var directory: String
    package var slot: SlotName?
    /// Make the slot anew when it is gone upstream (a container does; the stand-alone form reports it).
    package var recreatesSlot = false
    package var applicationName = "pgarchive"
    /// Nil: whatever the archive or, when it is empty, the server has.
    package var systemIdentifier: UInt64?
    package var segmentSize: SegmentSize?
    package var isSynchronous = false
    /// `--no-sync`: faster, and nothing is safe from a power cut.
    package var syncs = true
    /// Others work on the directory too: pg_receivewal before and after, or who takes its files away (Barman).
    ///
    /// Then partial segments have their full length, the complete ones get their names at once, though a record may
    /// still be open at their end, and files have the rights that the upstream's own have.
    package var isShared = false
    /// How complete segments are compressed.
    package var compression: SegmentCodec?
    /// End after the first lost connection instead of trying again.
    package var loops = true
    package var endPosition: LSN?
    package var statusIntervalSeconds = 10.0
    /// How often the upstream is asked for its clock (a container: 1); 0: never.
    package var heartbeatIntervalSeconds = 0.0
    package var pingAfterSeconds = 30.0
    package var silenceLimitSeconds = 60.0
    /// The first wait after a lost connection; the further ones are longer.
    package var shortestRetrySeconds = 0.25
    /// An archive without any segment is begun only while this file is there; nil: always.
    package var beginsOnlyWith: String?
    /// Where the oldest WAL begins that is needed here; nil, or without an answer: where the archive's own does.
    package var neededFrom: (@Sendable () -> LSN?)?
    /// Held for the receiver's life; nil: no lock.
    package var lockFile: String?
    /// Where `ReceiverStatus` is written; nil: nowhere.
    package var statusFile: String?
    /// Log lines go there; nil: standard error.
    package var logFile: String?
    /// On standard error, in the form of PostgreSQL's tools: without times, and without details unless they are wanted.
    package var messages: ReceiverLog.Messages?

    package init(connection: String, directory: String) {
        self.connection = connection
        self.directory = directory
    }

    var replicationSettings: ReplicationSettings {
        var settings = ReplicationSettings()
        settings.slot = slot
        settings.recreatesSlot = recreatesSlot
        settings.systemIdentifier = systemIdentifier
        settings.segmentSize = segmentSize
        settings.isSynchronous = isSynchronous
        settings.statusIntervalSeconds = statusIntervalSeconds
        settings.heartbeatIntervalSeconds = heartbeatIntervalSeconds
        settings.pingAfterSeconds = pingAfterSeconds
        settings.silenceLimitSeconds = silenceLimitSeconds
        settings.endPosition = endPosition
        settings.asksForFileMode = isShared
        return settings
    }
}
