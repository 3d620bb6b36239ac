package import WALFormat

/// Finds the exact position at which recovery to a target must end, fed with the records in WAL order.
///
/// The rules are PostgreSQL's (`recoveryStopsBefore`, xlogrecovery.c): a time is compared with commit and abort
/// records only, and recovery ends before the first of them that is later.
///
/// One thing is done better: dropping a database or a tablespace removes its files before the commit that makes it
/// known. Where such a record comes after the last commit wanted, recovery to a time ends before it already.
package struct StopRule: Sendable {
    package let target: Target
    /// The end of the last record that belongs to the target.
    package private(set) var stop: LSN
    /// The last commit included, and the first commit or abort left out.
    package private(set) var lastCommit: (time: PostgresTime, transactionID: UInt32)?
    package private(set) var firstLeftOut: (time: PostgresTime, start: LSN)?
    /// The newest commit or abort time seen, whether included or not.
    package private(set) var newestTime: PostgresTime?
    /// A commit time went backwards by more than a second within what was read: a time is then not one moment only.
    package private(set) var clockSteppedBack = false
    package private(set) var parameters: HotStandbyParameters?
    /// A record that would make a server leave its directory when replayed.
    package private(set) var tablespace: (path: String, start: LSN)?
    package private(set) var isSettled = false
    /// Where recovery can end without losing the end of a transaction: after the last of them, or at `floor`.
    private var quietStop: LSN
    /// Work on whole directories was met after `quietStop`.
    private var hasFileWork = false
    private let floor: LSN

    /// - Parameters:
    ///   - start: the position at which reading begins, a record's start.
    ///   - floor: where a server that recovers is consistent; recovery cannot end before it.
    package init(target: Target, start: LSN, floor: LSN = .invalid) {
        self.target = target
        self.stop = start
        self.quietStop = start
        self.floor = floor
    }

    /// Takes the next record; returns false when the target's end has been found.
    package mutating func visit(_ record: WALRecord, event: WALEvent?) -> Bool {
        guard !isSettled else { return false }
        if case .lsn(let position) = target, record.end > position {
            isSettled = true
            return false
        }
        if let event, !visit(event, record: record) {
            isSettled = true
            return false
        }
        stop = record.end
        if quietStop < floor || event?.endsTransaction == true {
            quietStop = stop
            hasFileWork = false
        }
        return true
    }

    private mutating func visit(_ event: WALEvent, record: WALRecord) -> Bool {
        switch event {
        case .commit(let transaction):
            guard includes(transaction.time, record) else { return false }
            lastCommit = (transaction.time, transaction.transactionID)
        case .abort(let transaction):
            return includes(transaction.time, record)
        case .parameterChange(let change):
            let values = HotStandbyParameters(
                maxConnections: change.maxConnections,
                maxWorkerProcesses: change.maxWorkerProcesses,
                maxWALSenders: change.maxWALSenders,
                maxPreparedTransactions: change.maxPreparedTransactions,
                maxLocksPerTransaction: change.maxLocksPerTransaction
            )
            parameters = parameters.map { $0.raised(to: values) } ?? values
        case .tablespaceCreate(_, let path):
            if !path.isEmpty, tablespace == nil { tablespace = (path, record.start) }
            hasFileWork = true
        case .tablespaceDrop, .databaseDrop:
            hasFileWork = true
        default:
            break
        }
        return true
    }

    private mutating func includes(_ time: PostgresTime, _ record: WALRecord) -> Bool {
        if let newest = newestTime, newest.seconds(since: time) > 1 { clockSteppedBack = true }
        newestTime = max(newestTime ?? time, time)
        if case .time(let wanted) = target, time > wanted {
            firstLeftOut = (time, record.start)
            leaveOutFileWork()
            return false
        }
        return true
    }

    /// PostgreSQL marks the database in pg_database before it removes the files, outside of any transaction: so the
    /// end is put before all that follows the last end of a transaction, none of which can be seen.
    private mutating func leaveOutFileWork() {
        guard hasFileWork else { return }
        stop = quietStop
        if let found = tablespace, found.start >= quietStop { tablespace = nil }
    }
}

extension WALEvent {
    fileprivate var endsTransaction: Bool {
        switch self {
        case .commit, .abort, .prepare: true
        default: false
        }
    }
}
