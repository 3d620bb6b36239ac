package import WALFormat

/// Finds the exact position at which recovery to a target must end, fed with the records in WAL order.
///
/// The rules are PostgreSQL's (`recoveryStopsBefore`, `recoveryStopsAfter`, xlogrecovery.c): a time is compared with
/// commit and abort records only, and recovery ends before the first of them that is later; a transaction is met by
/// its own commit or abort record only; a position by a record's first byte; a restore point by its name, the first.
///
/// One thing is done better: dropping a database or a tablespace removes its files before the commit that makes it
/// known. Where such a record comes after the last commit wanted, recovery ends before it already, except for an
/// exact position.
package struct StopRule: Sendable {
    /// A commit or abort.
    package struct Ending: Hashable, Sendable {
        package var time: PostgresTime
        package var transactionID: UInt32
        /// Its record.
        package var start: LSN
        package var end: LSN

        package init(time: PostgresTime, transactionID: UInt32, start: LSN, end: LSN) {
            self.time = time
            self.transactionID = transactionID
            self.start = start
            self.end = end
        }
    }

    package let target: Target
    /// The end of the last record that belongs to the target.
    package private(set) var stop: LSN
    /// The last commit included, and the first commit or abort left out.
    package private(set) var lastCommit: Ending?
    package private(set) var firstLeftOut: Ending?
    /// The newest commit or abort time seen, whether included or not.
    package private(set) var newestTime: PostgresTime?
    /// A commit time went backwards by more than a second in what was read, or comes once more after the end: a time is
    /// then not one moment only.
    package private(set) var clockSteppedBack = false
    package private(set) var parameters: HotStandbyParameters?
    /// The first record that is not replayed here.
    package private(set) var barrier: ReplayBarrier?
    /// Where full_page_writes was switched off first.
    package private(set) var fullPageWritesOff: LSN?
    /// The target's end was met: nothing that comes later can change it.
    package private(set) var isSettled = false
    /// The transaction asked for was aborted: nothing of it is there.
    package private(set) var isAborted = false
    /// What was met on the way, for a target that is not found.
    package private(set) var sightings = TargetSightings()
    /// Where recovery can end without losing the end of a transaction: after the last of them, or at `floor`.
    private var quietStop: LSN
    /// Work on whole directories was met after `quietStop`.
    private var hasFileWork = false
    private let floor: LSN
    /// After the end, the first transaction left out is looked for this far.
    private static let outlookBytes: UInt64 = 1 << 20

    /// - Parameters:
    ///   - start: the position at which reading begins, a record's start.
    ///   - floor: where a server that recovers is consistent; recovery cannot end before it.
    package init(target: Target, start: LSN, floor: LSN = .invalid) {
        self.target = target
        self.stop = start
        self.quietStop = start
        self.floor = floor
    }

    /// A rule that begins behind WAL of which all that it needs is known, and in which the target does not end.
    package init(target: Target, passed: PassedWAL, floor: LSN) {
        self.init(target: target, start: passed.end, floor: floor)
        quietStop = max(passed.lastEnding, min(floor, passed.end))
        lastCommit = passed.lastCommit
        newestTime = passed.newestTime
        clockSteppedBack = passed.clockSteppedBack
        parameters = passed.parameters
        barrier = passed.barrier
        fullPageWritesOff = passed.fullPageWritesOff
    }

    /// Takes the next record; returns false when nothing more is needed.
    package mutating func visit(_ record: WALRecord, event: WALEvent?) -> Bool {
        if isSettled { return look(record, event) }
        if endsBefore(record, event) {
            isSettled = true
            return look(record, event)
        }
        take(record, event)
        if endsAfter(record, event) { isSettled = true }
        return true
    }

    /// `recoveryStopsBefore`.
    private mutating func endsBefore(_ record: WALRecord, _ event: WALEvent?) -> Bool {
        switch target {
        case .lsn(let position, inclusive: false): return record.start >= position
        case .before(let position):
            guard record.end > position else { return false }
            if case .databaseDrop? = event { hasFileWork = true }
            if case .tablespaceDrop? = event { hasFileWork = true }
        case .time(let wanted, let inclusive):
            guard let ending = event?.ending else { return false }
            noteTime(ending.time)
            guard inclusive ? ending.time > wanted : ending.time >= wanted else { return false }
        case .transaction(let wanted, inclusive: false):
            guard let ending = event?.ending, ending.transactionID == wanted else { return false }
            noteTransaction(record, event)
        default: return false
        }
        leaveOutFileWork()
        return true
    }

    /// `recoveryStopsAfter`.
    private mutating func endsAfter(_ record: WALRecord, _ event: WALEvent?) -> Bool {
        switch target {
        case .lsn(let position, inclusive: true): return record.start >= position
        case .transaction(let wanted, inclusive: true): return event?.ending?.transactionID == wanted
        case .restorePoint(let wanted):
            guard case .restorePoint(let name, _)? = event else { return false }
            return name == wanted
        default: return false
        }
    }

    private mutating func take(_ record: WALRecord, _ event: WALEvent?) {
        stop = record.end
        barrier = barrier ?? ReplayBarrier(event, at: record.start)
        if case .transaction = target { noteTransaction(record, event) }
        switch event {
        case nil: break
        case .commit(let transaction)?:
            noteTime(transaction.time)
            lastCommit = Ending(transaction, record)
        case .abort(let transaction)?: noteTime(transaction.time)
        case .parameterChange(let change)?:
            let values = HotStandbyParameters(change)
            parameters = parameters.map { $0.raised(to: values) } ?? values
        case .fullPageWritesChange(false)?: fullPageWritesOff = fullPageWritesOff ?? record.start
        case .tablespaceCreate?, .tablespaceDrop?, .databaseDrop?: hasFileWork = true
        case .restorePoint(let name, let time)?:
            if case .restorePoint = target { sightings.restorePoint(name, time: time, end: record.end) }
        default: break
        }
        if quietStop < floor || event?.endsTransaction == true {
            quietStop = stop
            hasFileWork = false
        }
    }

    private mutating func noteTransaction(_ record: WALRecord, _ event: WALEvent?) {
        guard case .transaction(let wanted, _) = target else { return }
        if record.transactionID == wanted { sightings.isOpen = true }
        guard let ending = event?.ending else { return }
        if ending.transactionID == wanted, case .abort? = event { isAborted = true }
        sightings.ending(Ending(ending, record), of: ending, wanted: wanted)
    }

    private mutating func noteTime(_ time: PostgresTime) {
        if let newest = newestTime, newest.seconds(since: time) > 1 { clockSteppedBack = true }
        newestTime = max(newestTime ?? time, time)
    }

    /// After the end: the first transaction that the target leaves out, and for a time whether some other moment may
    /// have been meant, where they are not far.
    private mutating func look(_ record: WALRecord, _ event: WALEvent?) -> Bool {
        guard target != .latest else { return false }
        if let ending = event?.ending {
            if firstLeftOut == nil { firstLeftOut = Ending(ending, record) }
            guard case .time(let wanted, _) = target else { return false }
            if ending.time <= wanted { noteTime(ending.time) }
            if clockSteppedBack { return false }
        }
        return record.end.bytes(since: stop) < Self.outlookBytes
    }

    /// PostgreSQL marks the database in pg_database before it removes the files, outside of any transaction: so the
    /// end is put before all that follows the last end of a transaction, none of which can be seen.
    private mutating func leaveOutFileWork() {
        guard hasFileWork else { return }
        stop = quietStop
        if let found = barrier, found.start >= quietStop { barrier = nil }
    }
}

extension StopRule.Ending {
    init(_ transaction: WALEvent.TransactionEnd, _ record: WALRecord) {
        self.init(
            time: transaction.time,
            transactionID: transaction.transactionID,
            start: record.start,
            end: record.end
        )
    }
}

extension WALEvent {
    /// Commit or abort.
    fileprivate var ending: TransactionEnd? {
        switch self {
        case .commit(let end), .abort(let end): end
        default: nil
        }
    }

    fileprivate var endsTransaction: Bool {
        switch self {
        case .commit, .abort, .prepare: true
        default: false
        }
    }
}
