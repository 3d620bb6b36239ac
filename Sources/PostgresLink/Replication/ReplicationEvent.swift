package import WALFormat

/// What happens to a replication connection.
package enum ReplicationEvent: Equatable, Sendable {
    /// The login is done. `isStandby` is nil where the server does not say.
    case connected(serverVersion: Int, isStandby: Bool?)
    /// The one row of an answer, as text; TIMELINE_HISTORY's content included.
    case row([String?])
    /// COPY BOTH began.
    case copyStarted
    case message(ReplicationMessage)
    /// COPY ended from the server's side.
    case copyEnded
    /// The command is complete, without a row.
    case commandComplete
    case serverError(sqlState: String?, message: String)
    case connectionLost(String)
    case malformed(MalformedMessage)

    /// The history file is durable here, now or since long.
    case historyStored(TimelineID)
    /// Another history of the same timeline is here.
    case historyRefused(TimelineID)
    /// No segment is missing, or where the archive ends before the first that is.
    case holeLookedFor(ArchivePosition?)
    /// The last data message is checked, up to `recordEnd` it holds whole records; files hold all up to `written`.
    case stored(written: LSN, recordEnd: LSN)
    /// The last data message failed its checks.
    case damaged(String)
    case diverged(Divergence)
    case durable(LSN)
    case storageFailed(String, isFull: Bool)
    /// Reading stands still for a while (a full disk, a slow one), so silence means nothing.
    case paused(Bool)
    case tick
    case stop
}

/// What is to be done about it.
package enum ReplicationAction: Equatable, Sendable {
    case send(ReplicationCommand)
    /// To be answered by `historyStored` or `historyRefused`.
    case storeHistory(TimelineID, text: String)
    /// Is one of these segments missing? To be answered by `holeLookedFor`.
    case lookForHole(RetainedSegments)
    /// Comes before START_REPLICATION.
    case openStream(StreamStart)
    /// Check and write the data message just given; to be answered by `stored`, `damaged` or `diverged`.
    case store
    /// Make durable what is written; to be answered by `durable`.
    case sync
    case reply(StandbyStatus)
    /// The timeline ended: make all durable, leave its last segment partial.
    case closeStream
    /// Our side of COPY is done.
    case endCopy
    case note(ReplicationNote)
    /// Close the connection.
    case finish(ReplicationOutcome)
}

/// Something that the log should say once.
package enum ReplicationNote: Equatable, Sendable {
    case connected(ServerIdentity, serverVersion: Int)
    /// The server's group may read its files.
    case groupAccess
    case streaming(StreamStart)
    case timelineEnded(TimelineID, at: LSN, next: TimelineID)
    case forked(StreamStart, ours: LSN)
    case slotCreated(SlotName)
    case slotInvalid(SlotName, message: String)
    case historyMissing(TimelineID, message: String)
}
