package import WALFormat

/// A state that can be reached, offered where the one asked for cannot.
package struct Reachable: Hashable, Sendable {
    /// Recovery to it ends here.
    package var position: LSN
    /// Of its last commit, where it is known.
    package var time: PostgresTime?
    package var transactionID: UInt32?

    package init(position: LSN, time: PostgresTime?, transactionID: UInt32?) {
        self.position = position
        self.time = time
        self.transactionID = transactionID
    }
}

/// Why a target cannot be reached, with the nearest ones that can.
package struct TargetRefusal: Error, Hashable, Sendable {
    package enum Reason: Hashable, Sendable {
        case noSnapshot
        /// No snapshot lies on the way to this timeline; with a name, that one does not.
        case notOnPath(snapshot: String?, timeline: TimelineID)
        /// It lies before the first state that can be reached.
        case beforeFirst(snapshot: String)
        /// What is here ends before it; `isOver` when nothing more will come on that timeline.
        case notHere(timeline: TimelineID, isOver: Bool)
        /// This segment, on the way to it, is missing.
        case gap(SegmentName, snapshot: String)
        /// This segment, on the way to it, cannot be read from there on.
        case damaged(SegmentName, at: LSN, fault: String, snapshot: String)
        /// In all that was read, from a snapshot's redo to the end, this transaction has no end.
        case noTransaction(TargetSightings)
        case noRestorePoint([TargetSightings.RestorePoint])
        /// A record on the way to it is not replayed.
        case barrier(ReplayBarrier, snapshot: String)
    }

    package var target: Target
    package var reason: Reason
    /// The nearest states that can be reached, on both sides.
    package var before: Reachable?
    package var after: Reachable?
    /// Up to this time of upstream's clock it is known what has committed.
    package var clock: PostgresTime?
    /// Where WAL was missing or damaged while a name was looked for: it may have been there.
    package var holes: [SegmentName] = []

    package init(_ target: Target, _ reason: Reason, before: Reachable? = nil, after: Reachable? = nil) {
        self.target = target
        self.reason = reason
        self.before = before
        self.after = after
    }
}
