package import WALFormat

/// How a target is reached: from which snapshot, along which timelines, to which exact position.
package struct RestorePlan: Hashable, Codable, Sendable {
    package var snapshot: String
    package var redo: LSN
    package var path: TimelinePath
    /// Recovery ends exactly here: the end of the last record wanted.
    package var stop: LSN
    package var lastTransactionTime: PostgresTime?
    package var lastTransactionID: UInt32?
    /// The first transaction left out, where there is one close by.
    package var firstLeftOut: PostgresTime?
    package var firstLeftOutTransactionID: UInt32?
    package var parameters: HotStandbyParameters
    package var warnings: [String]
    /// The instant that was asked for, where it was one.
    package var targetTime: PostgresTime?
    /// From here to the stop all WAL was read to make this plan; before it the index vouches for it.
    package var readFrom: LSN
    /// Until the server takes writes.
    package var predictedSeconds: Double

    package init(
        _ found: TargetSearch.Found,
        path: TimelinePath,
        parameters: HotStandbyParameters,
        warnings: [String],
        targetTime: PostgresTime?,
        rate: ReplayRate
    ) {
        let rule = found.rule
        self.snapshot = found.snapshot.name
        self.redo = found.snapshot.redo
        self.path = path.truncated(at: rule.stop)
        self.stop = rule.stop
        self.lastTransactionTime = rule.lastCommit?.time ?? found.snapshot.lastTransactionTime
        self.lastTransactionID = rule.lastCommit?.transactionID
        self.firstLeftOut = rule.firstLeftOut?.time
        self.firstLeftOutTransactionID = rule.firstLeftOut?.transactionID
        self.parameters = parameters
        self.warnings = warnings
        self.targetTime = targetTime
        self.readFrom = found.readFrom
        self.predictedSeconds = 0
        self.predictedSeconds = rate.seconds(replaying: debtBytes)
    }

    /// WAL to replay.
    package var debtBytes: UInt64 { stop.bytes(since: redo) }
    /// All WAL on the way was read and found whole, just now.
    package var isWholeRead: Bool { readFrom <= redo }
}
