/// What one pass over the records that begin in a segment tells of it.
package struct SegmentSummary: Hashable, Sendable, Codable {
    package let segment: SegmentName
    /// Where the first record begins; nil when none begins here (one record may fill whole segments).
    package var firstRecord: LSN?
    /// What the first record says of where the one before it began.
    package var firstPrevious: LSN?
    package var lastRecord: LSN?
    /// The end of the last record that begins here (it may lie in a later segment); the segment's start without any.
    package var end: LSN
    package var records: UInt64 = 0
    /// All records' lengths together.
    package var recordBytes: UInt64 = 0
    /// Over commits and aborts, prepared ones too; clocks step, so neither need be the first or the last.
    package var earliestTime: PostgresTime?
    package var latestTime: PostgresTime?
    /// Some time was earlier, by more than a second, than the latest before it.
    package var clockSteppedBack = false
    package var commits: UInt64 = 0
    package var aborts: UInt64 = 0
    package var lastCommit: Commit?
    /// Of the transactions that ended here, in the order in which ids are given out (they wrap around).
    package var lowestTransactionID: UInt32?
    package var highestTransactionID: UInt32?
    package var lastCheckpoint: CheckpointPlace?
    /// The highest of each parameter that a change here set.
    package var parameters: WALEvent.ParameterChange?

    package struct Commit: Hashable, Sendable, Codable {
        package var time: PostgresTime
        package var transactionID: UInt32
        package var start: LSN
        package var end: LSN

        package init(time: PostgresTime, transactionID: UInt32, start: LSN, end: LSN) {
            self.time = time
            self.transactionID = transactionID
            self.start = start
            self.end = end
        }
    }

    package struct CheckpointPlace: Hashable, Sendable, Codable {
        package var start: LSN
        package var end: LSN
        package var redo: LSN
        package var timeline: TimelineID
        package var isShutdown: Bool
        /// Whole seconds.
        package var time: PostgresTime
    }

    package init(segment: SegmentName, end: LSN) {
        self.segment = segment
        self.end = end
    }
}

extension SegmentSummary {
    /// Takes in what a later piece of the same segment says.
    package mutating func append(_ next: SegmentSummary) {
        guard let first = next.firstRecord else { return }
        firstPrevious = firstRecord == nil ? next.firstPrevious : firstPrevious
        firstRecord = firstRecord ?? first
        lastRecord = next.lastRecord
        end = next.end
        records &+= next.records
        recordBytes &+= next.recordBytes
        if let latestTime, let earliest = next.earliestTime, latestTime.seconds(since: earliest) > 1 {
            clockSteppedBack = true
        }
        clockSteppedBack = clockSteppedBack || next.clockSteppedBack
        if let time = next.earliestTime { earliestTime = min(earliestTime ?? time, time) }
        if let time = next.latestTime { latestTime = max(latestTime ?? time, time) }
        commits &+= next.commits
        aborts &+= next.aborts
        lastCommit = next.lastCommit ?? lastCommit
        if let lowest = next.lowestTransactionID, let highest = next.highestTransactionID {
            include(transaction: lowest)
            include(transaction: highest)
        }
        lastCheckpoint = next.lastCheckpoint ?? lastCheckpoint
        if let change = next.parameters { parameters = parameters?.raised(to: change) ?? change }
    }

    @inline(__always)
    mutating func include(transaction: UInt32) {
        if lowestTransactionID.map({ transactionID(transaction, precedes: $0) }) ?? true {
            lowestTransactionID = transaction
        }
        if highestTransactionID.map({ transactionID($0, precedes: transaction) }) ?? true {
            highestTransactionID = transaction
        }
    }
}

/// Ids wrap around: of two, the one less than half a round behind is the older (PostgreSQL: `TransactionIdPrecedes`).
@inline(__always)
func transactionID(_ left: UInt32, precedes right: UInt32) -> Bool {
    Int32(bitPattern: left &- right) < 0
}

extension WALEvent.ParameterChange {
    /// The higher one of each.
    package func raised(to other: Self) -> Self {
        Self(
            maxConnections: max(maxConnections, other.maxConnections),
            maxWorkerProcesses: max(maxWorkerProcesses, other.maxWorkerProcesses),
            maxWALSenders: max(maxWALSenders, other.maxWALSenders),
            maxPreparedTransactions: max(maxPreparedTransactions, other.maxPreparedTransactions),
            maxLocksPerTransaction: max(maxLocksPerTransaction, other.maxLocksPerTransaction),
            walLevel: other.walLevel
        )
    }
}
