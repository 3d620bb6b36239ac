import ArchiveModel
import ArchiveTesting
import WALFormat

/// An archive made up at random: timelines, snapshots, gaps, clocks that step, transactions that end in any order.
struct RandomArchive {
    struct Record {
        var record: WALRecord
        var event: WALEvent?
        var isMissing = false
    }

    static let names = ["a", "b", "c"]
    /// The records of each path, from the first timeline's start.
    private(set) var paths: [(path: TimelinePath, records: [Record])] = []
    private(set) var snapshots: [SnapshotRecord] = []
    let isMonotonic: Bool
    private var random: SeededGenerator
    private var clock: Int64 = 1_000_000_000
    private var nextTransaction: UInt32
    private var open: [UInt32] = []

    init(seed: UInt64) {
        random = SeededGenerator(seed: seed)
        isMonotonic = Bool.random(using: &random)
        // Some go over the end of the ids.
        nextTransaction = Bool.random(using: &random) ? 3 : UInt32.max - 20
        var records = more(40, after: LSN(10_000), previous: nil)
        paths.append((TimelinePath(TimelineID(1)), records))
        addSnapshots(4, records, TimelineID(1), from: 0)
        if number(0...2) == 0 {
            let fork = number(10...35)
            records = Array(records[..<fork])
            let end = records[fork - 1].record.end
            records += more(30, after: end, previous: records[fork - 1].record.start)
            paths.append((TimelinePath(ancestors: [(TimelineID(1), end)], timeline: TimelineID(2)), records))
            addSnapshots(2, records, TimelineID(2), from: fork)
        }
        for _ in 0..<number(0...2) { removeSomething() }
    }

    private mutating func number(_ range: ClosedRange<Int>) -> Int { Int.random(in: range, using: &random) }

    private mutating func more(_ count: Int, after: LSN, previous: LSN?) -> [Record] {
        var records: [Record] = []
        var position = after
        var previous = previous ?? .invalid
        for _ in 0..<count {
            let end = position.advanced(by: UInt64(number(1...5) * 8))
            let (event, id) = event()
            let record = WALRecord(
                start: position,
                end: end,
                previous: previous,
                transactionID: id,
                totalLength: 24,
                resourceManager: 1,
                info: 0
            )
            records.append(Record(record: record, event: event))
            previous = position
            position = end
        }
        return records
    }

    private mutating func event() -> (WALEvent?, UInt32) {
        clock += Int64(number(0...3)) * 700_000
        if !isMonotonic, number(0...9) == 0 { clock -= Int64(number(0...8)) * 1_000_000 }
        switch number(0...11) {
        case 0...2:
            nextTransaction = max(3, nextTransaction &+ 1)
            open.append(nextTransaction)
            return (nil, nextTransaction)
        case 3...6:
            guard !open.isEmpty else { return (nil, 0) }
            let id = open.remove(at: number(0...open.count - 1))
            let end = WALEvent.TransactionEnd(
                time: PostgresTime(rawValue: clock),
                transactionID: id,
                isPrepared: false,
                database: nil,
                subtransactionCount: 0,
                droppedRelations: [],
                isWhole: true
            )
            return (number(0...3) == 0 ? .abort(end) : .commit(end), id)
        case 7:
            return (.restorePoint(name: Self.names[number(0...2)], time: PostgresTime(rawValue: clock)), 0)
        case 8 where number(0...2) == 0: return (.databaseDrop(database: 5, tablespaces: []), 0)
        default: return (nil, 0)
        }
    }

    private mutating func addSnapshots(_ count: Int, _ records: [Record], _ timeline: TimelineID, from first: Int) {
        for _ in 0..<count {
            let redo = number(0...records.count - 4)
            let consistent = max(number(redo...min(redo + 8, records.count - 1)), first)
            // It is replayed up to there, on its timeline.
            let replayed = number(consistent...min(consistent + 3, records.count - 1))
            let times = records[...replayed].compactMap { $0.event?.ended?.time }
            let before = records[..<redo].compactMap { $0.event?.ended?.time.rawValue }
            let checkpoint = (before.last ?? 1_000_000_000) / 1_000_000 * 1_000_000
            snapshots.append(
                SnapshotRecord(
                    name: "s\(snapshots.count)",
                    createdAt: PostgresTime(rawValue: Int64(snapshots.count)),
                    timeline: timeline,
                    redo: records[redo].record.start,
                    consistent: records[consistent].record.end,
                    replayed: records[replayed].record.end,
                    lastTransactionTime: times.last,
                    checkpointTime: PostgresTime(rawValue: checkpoint),
                    driver: .copy,
                    live: true
                )
            )
        }
    }

    private mutating func removeSomething() {
        let first = number(0...38)
        for at in first..<first + number(1...4) {
            for path in paths.indices where at < paths[path].records.count { paths[path].records[at].isMissing = true }
        }
    }

    mutating func target(in records: [Record]) -> Target {
        let some = records[number(0...records.count - 1)].record
        let time = PostgresTime(rawValue: 1_000_000_000 + Int64(number(-2...70)) * 700_000)
        let inclusive = Bool.random(using: &random)
        let ids = records.compactMap { $0.event?.ended?.transactionID }
        switch number(0...8) {
        case 0...2: return .time(time, inclusive: inclusive)
        case 3: return .lsn(some.start.advanced(by: UInt64(number(0...1) * 4)), inclusive: inclusive)
        case 4: return .before(some.start)
        case 5, 6:
            let id = ids.isEmpty ? 9 : ids[number(0...ids.count - 1)]
            return .transaction(number(0...3) == 0 ? id &+ 1000 : id, inclusive: inclusive)
        case 7: return .restorePoint((Self.names + ["none"])[number(0...3)])
        default: return .latest
        }
    }

    /// What the search is given to read.
    static func reading(_ records: [Record], _ path: TimelinePath) -> TargetSearch.Reading {
        { from, visit in
            for item in records where item.record.start >= from {
                let timeline = path.timeline(at: item.record.start)
                if item.isMissing { return .missing(SegmentName(timeline: timeline, number: 1, size: .standard)) }
                if !visit(item.record, item.event) { return .stopped }
            }
            return .endOfArchive
        }
    }
}

extension WALEvent {
    var ended: TransactionEnd? {
        switch self {
        case .commit(let end), .abort(let end): end
        default: nil
        }
    }
}
