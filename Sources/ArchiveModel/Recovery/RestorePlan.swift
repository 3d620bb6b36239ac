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
    /// The first transaction left out, where there is one.
    package var firstLeftOut: PostgresTime?
    package var parameters: HotStandbyParameters
    package var warnings: [String]

    package init(
        snapshot: String,
        redo: LSN,
        path: TimelinePath,
        stop: LSN,
        lastTransactionTime: PostgresTime?,
        lastTransactionID: UInt32?,
        firstLeftOut: PostgresTime?,
        parameters: HotStandbyParameters,
        warnings: [String]
    ) {
        self.snapshot = snapshot
        self.redo = redo
        self.path = path
        self.stop = stop
        self.lastTransactionTime = lastTransactionTime
        self.lastTransactionID = lastTransactionID
        self.firstLeftOut = firstLeftOut
        self.parameters = parameters
        self.warnings = warnings
    }

    /// WAL to replay.
    package var debtBytes: UInt64 { stop.bytes(since: redo) }
}
