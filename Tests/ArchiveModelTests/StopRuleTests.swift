import ArchiveModel
import Testing
import WALFormat

@Suite("Where recovery must end")
struct StopRuleTests {
    /// Records of 100 bytes each, from address 1000 on.
    private static func record(_ index: UInt64) -> WALRecord {
        WALRecord(
            start: LSN(1000 + index * 100),
            end: LSN(1100 + index * 100),
            previous: LSN(900 + index * 100),
            transactionID: UInt32(index),
            totalLength: 100,
            resourceManager: 1,
            info: 0
        )
    }

    private static func end(_ time: Int64, _ transaction: UInt32) -> WALEvent.TransactionEnd {
        WALEvent.TransactionEnd(
            time: PostgresTime(rawValue: time),
            transactionID: transaction,
            isPrepared: false,
            database: nil,
            subtransactionCount: 0,
            droppedRelations: [],
            isWhole: true
        )
    }

    private static func run(_ target: Target, _ events: [WALEvent?]) -> StopRule {
        var rule = StopRule(target: target, start: LSN(1000))
        for (index, event) in events.enumerated() where !rule.visit(record(UInt64(index)), event: event) { break }
        return rule
    }

    @Test("a time includes the commit at that very microsecond, and ends before the next one")
    func inclusiveTime() {
        let events: [WALEvent?] = [
            nil, .commit(Self.end(5_000_000, 1)), nil, .commit(Self.end(7_000_000, 2)), nil,
            .commit(Self.end(9_000_000, 3)),
        ]
        let rule = Self.run(.time(PostgresTime(rawValue: 7_000_000)), events)
        #expect(rule.stop == LSN(1500))
        #expect(rule.lastCommit?.transactionID == 2)
        #expect(rule.firstLeftOut?.time == PostgresTime(rawValue: 9_000_000))
        #expect(rule.isSettled)
    }

    @Test("an abort ends recovery to a time too, as in PostgreSQL")
    func abort() {
        let rule = Self.run(
            .time(PostgresTime(rawValue: 6_000_000)),
            [.commit(Self.end(5_000_000, 1)), .abort(Self.end(8_000_000, 2)), .commit(Self.end(5_500_000, 3))]
        )
        #expect(rule.stop == LSN(1100))
    }

    @Test("files that a later commit removes are still there: recovery to a time ends before their removal")
    func fileWork() {
        let drop = WALEvent.databaseDrop(database: 7, tablespaces: [1663])
        let create = WALEvent.tablespaceCreate(oid: 8, path: "/elsewhere")
        let time = Target.time(PostgresTime(rawValue: 6_000_000))
        let dropped = Self.run(
            time,
            [.commit(Self.end(5_000_000, 1)), nil, drop, nil, .commit(Self.end(8_000_000, 2))]
        )
        #expect(dropped.stop == LSN(1100))
        // Where a server is consistent only later, it ends there.
        var late = StopRule(target: time, start: LSN(1000), floor: LSN(1150))
        let events = [.commit(Self.end(5_000_000, 1)), nil, drop, nil, .commit(Self.end(8_000_000, 2))]
        for (index, event) in events.enumerated() where !late.visit(Self.record(UInt64(index)), event: event) { break }
        #expect(late.stop == LSN(1200))
        let created = Self.run(time, [.commit(Self.end(5_000_000, 1)), create, .commit(Self.end(8_000_000, 2))])
        #expect(created.stop == LSN(1100))
        #expect(created.barrier == nil)
        // A commit that is wanted comes after it: then there is no way around it.
        let between = Self.run(time, [create, .commit(Self.end(5_000_000, 1)), .commit(Self.end(8_000_000, 2))])
        #expect(between.stop == LSN(1200))
        #expect(between.barrier?.kind == .tablespace(path: "/elsewhere"))
        // A position means what it says.
        #expect(Self.run(.lsn(LSN(1300), inclusive: false), [drop, nil, nil, nil]).stop == LSN(1300))
    }

    @Test("a clock that steps back is noticed, and the first later record still ends it")
    func steppingClock() {
        let rule = Self.run(
            .time(PostgresTime(rawValue: 10_000_000)),
            [.commit(Self.end(9_000_000, 1)), .commit(Self.end(2_000_000, 2)), .commit(Self.end(11_000_000, 3))]
        )
        #expect(rule.stop == LSN(1200))
        #expect(rule.clockSteppedBack)
        // The same time comes once more, after the end.
        let events: [WALEvent?] = [
            .commit(Self.end(5_000_000, 1)), .commit(Self.end(9_000_000, 2)), .commit(Self.end(7_000_000, 3)),
        ]
        let twice = Self.run(.time(PostgresTime(rawValue: 8_000_000)), events)
        #expect(twice.stop == LSN(1100) && twice.clockSteppedBack)
        #expect(twice.firstLeftOut?.transactionID == 2)
        #expect(!Self.run(.time(PostgresTime(rawValue: 6_000_000)), events).clockSteppedBack)
    }

    @Test("a position takes the first record that begins at it or later; exclusive ends before it")
    func position() {
        let events = [WALEvent?](repeating: nil, count: 5)
        for (position, inclusive, exclusive) in [(1200, 1300, 1200), (1201, 1400, 1300), (1299, 1400, 1300)]
            as [(UInt64, UInt64, UInt64)]
        {
            #expect(Self.run(.lsn(LSN(position)), events).stop == LSN(inclusive))
            #expect(Self.run(.lsn(LSN(position), inclusive: false), events).stop == LSN(exclusive))
        }
        // Nothing begins at it or later yet: all that there is.
        #expect(!Self.run(.lsn(LSN(1500)), events).isSettled)
        #expect(Self.run(.lsn(LSN(1500)), events).stop == LSN(1500))
    }

    @Test("exclusive, a time leaves out what committed at it")
    func exclusiveTime() {
        let events: [WALEvent?] = [
            .commit(Self.end(5, 1)), .commit(Self.end(7, 2)), .commit(Self.end(7, 3)), .abort(Self.end(8, 4)),
        ]
        let rule = Self.run(.time(PostgresTime(rawValue: 7), inclusive: false), events)
        #expect(rule.stop == LSN(1100))
        #expect(rule.firstLeftOut?.transactionID == 2)
        #expect(Self.run(.time(PostgresTime(rawValue: 7)), events).stop == LSN(1300))
    }

    @Test("a transaction is met by the record that ends it, in whatever order they end")
    func transaction() {
        var parent = Self.end(8, 12)
        parent.subtransactions = [13, 14]
        let events: [WALEvent?] = [
            nil, .commit(Self.end(5, 11)), .abort(Self.end(6, 10)), nil, .commit(parent), .commit(Self.end(9, 9)),
        ]
        #expect(Self.run(.transaction(11), events).stop == LSN(1200))
        #expect(Self.run(.transaction(11, inclusive: false), events).stop == LSN(1100))
        let aborted = Self.run(.transaction(10), events)
        #expect(aborted.stop == LSN(1300) && aborted.isAborted)
        #expect(aborted.lastCommit?.transactionID == 11)
        #expect(aborted.firstLeftOut?.transactionID == 12)
        let part = Self.run(.transaction(13), events)
        #expect(!part.isSettled)
        #expect(part.sightings.parent == 12)
        let never = Self.run(.transaction(20), events)
        #expect(never.sightings.below?.transactionID == 12 && never.sightings.above == nil)
        // Ids go round in a circle.
        let around = Self.run(.transaction(5), [.commit(Self.end(1, UInt32.max)), .commit(Self.end(2, 6))])
        #expect(around.sightings.below?.transactionID == UInt32.max && around.sightings.above?.transactionID == 6)
    }

    @Test("a restore point is the first of its name, and included")
    func restorePoint() {
        func point(_ name: String) -> WALEvent { .restorePoint(name: name, time: PostgresTime(rawValue: 1)) }
        let events: [WALEvent?] = [nil, point("a"), point("b"), nil, point("b")]
        #expect(Self.run(.restorePoint("b"), events).stop == LSN(1300))
        let none = Self.run(.restorePoint("c"), events)
        #expect(!none.isSettled)
        #expect(none.sightings.restorePoints.map(\.name) == ["a", "b"])
        #expect(none.sightings.restorePoints.last?.end == LSN(1500))
    }

    @Test("before an event is before its record, and before the work on files that belongs to it")
    func beforeEvents() {
        let drop = WALEvent.databaseDrop(database: 7, tablespaces: [1663])
        let events: [WALEvent?] = [.commit(Self.end(5, 1)), nil, drop, nil, .commit(Self.end(8, 2))]
        // The drop itself, or the commit that makes it known.
        #expect(Self.run(.before(LSN(1200)), events).stop == LSN(1100))
        #expect(Self.run(.before(LSN(1400)), events).stop == LSN(1100))
        #expect(Self.run(.before(LSN(1100)), events).stop == LSN(1100))
        let table: [WALEvent?] = [.commit(Self.end(5, 1)), nil, .commit(Self.end(8, 2))]
        let rule = Self.run(.before(LSN(1200)), table)
        #expect(rule.stop == LSN(1200))
        #expect(rule.firstLeftOut?.transactionID == 2)
    }

    @Test("nothing that comes after the end is looked at")
    func settled() {
        var rule = Self.run(.lsn(LSN(1100)), [nil, nil])
        let goesOn = rule.visit(Self.record(2), event: .commit(Self.end(1, 9)))
        #expect(!goesOn)
        #expect(rule.lastCommit == nil)
    }

    @Test("each hot-standby parameter is the highest that was met; a tablespace is remembered with its place")
    func parametersAndTablespace() {
        let change = { Self.change($0, $1) }
        let rule = Self.run(
            .latest,
            [
                change(100, 64), change(300, 32), .tablespaceCreate(oid: 1, path: ""),
                .tablespaceCreate(oid: 2, path: "/fast"),
            ]
        )
        #expect(rule.parameters?.maxConnections == 300)
        #expect(rule.parameters?.maxLocksPerTransaction == 64)
        #expect(rule.barrier == ReplayBarrier(start: LSN(1300), kind: .tablespace(path: "/fast")))
    }

    private static func change(_ connections: Int32, _ locks: Int32, _ level: WALLevel = .replica) -> WALEvent {
        .parameterChange(
            .init(
                maxConnections: connections,
                maxWorkerProcesses: 8,
                maxWALSenders: 10,
                maxPreparedTransactions: 0,
                maxLocksPerTransaction: locks,
                walLevel: level
            )
        )
    }

    @Test("wal_level = minimal is not replayed, as PostgreSQL would not; up to there all is well")
    func minimalWAL() {
        let events = [Self.change(100, 64), nil, Self.change(100, 64, .minimal), nil, Self.change(100, 64), nil]
        #expect(Self.run(.latest, events).barrier == ReplayBarrier(start: LSN(1200), kind: .minimalWAL))
        #expect(Self.run(.before(LSN(1200)), events).barrier == nil)
        #expect(Self.run(.lsn(LSN(1200), inclusive: false), events).barrier == nil)
        #expect(Self.run(.lsn(LSN(1200)), events).barrier != nil)
    }

    @Test("where full_page_writes was switched off is remembered, also when it is on again")
    func fullPageWrites() {
        let events: [WALEvent?] = [.fullPageWritesChange(true), nil, .fullPageWritesChange(false), nil]
        let rule = Self.run(.latest, events + [.fullPageWritesChange(true), .fullPageWritesChange(false)])
        #expect(rule.fullPageWritesOff == LSN(1200))
        #expect(Self.run(.before(LSN(1200)), events).fullPageWritesOff == nil)
    }
}
