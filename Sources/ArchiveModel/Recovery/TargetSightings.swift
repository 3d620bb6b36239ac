package import WALFormat

/// What was met in the WAL that a target was not found in: for the answer that says what is there instead.
package struct TargetSightings: Hashable, Sendable {
    package struct RestorePoint: Hashable, Sendable {
        package var name: String
        package var time: PostgresTime
        package var end: LSN

        package init(name: String, time: PostgresTime, end: LSN) {
            self.name = name
            self.time = time
            self.end = end
        }
    }

    /// Restore points by their names; of the same name the newest.
    package private(set) var restorePoints: [RestorePoint] = []
    /// The transaction wrote something, or has an end.
    package var isOpen = false
    /// The transaction of which the one asked for is a part.
    package private(set) var parent: UInt32?
    /// The ended transactions with the nearest numbers below and above.
    package private(set) var below: StopRule.Ending?
    package private(set) var above: StopRule.Ending?
    /// Nobody reads longer lists.
    private static let most = 1000

    mutating func restorePoint(_ name: String, time: PostgresTime, end: LSN) {
        restorePoints.removeAll { $0.name == name }
        if restorePoints.count == Self.most { restorePoints.removeFirst() }
        restorePoints.append(RestorePoint(name: name, time: time, end: end))
    }

    mutating func ending(_ ending: StopRule.Ending, of transaction: WALEvent.TransactionEnd, wanted: UInt32) {
        if transaction.subtransactions.contains(wanted) { parent = transaction.transactionID }
        let id = ending.transactionID
        if id == 0 || id == wanted { return }
        if id.precedes(wanted) {
            if below.map({ $0.transactionID.precedes(id) }) ?? true { below = ending }
        } else if above.map({ id.precedes($0.transactionID) }) ?? true {
            above = ending
        }
    }

    /// Takes what was met in an older stretch.
    mutating func join(older: TargetSightings, wanted: UInt32) {
        let newer = Set(restorePoints.map(\.name))
        restorePoints = older.restorePoints.filter { !newer.contains($0.name) } + restorePoints
        isOpen = isOpen || older.isOpen
        parent = parent ?? older.parent
        if let other = older.below, below.map({ $0.transactionID.precedes(other.transactionID) }) ?? true {
            below = other
        }
        if let other = older.above, above.map({ other.transactionID.precedes($0.transactionID) }) ?? true {
            above = other
        }
    }
}

extension UInt32 {
    /// The order of transaction ids, which go round in a circle (PostgreSQL: `TransactionIdPrecedes`).
    package func precedes(_ other: UInt32) -> Bool { Int32(bitPattern: self &- other) < 0 }
}
