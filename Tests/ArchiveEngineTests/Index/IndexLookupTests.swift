import ArchiveEngine
import ArchiveModel
import Testing
import WALFormat

@Suite("Looking things up in the index")
struct IndexLookupTests {
    static let size = SegmentSize.standard

    static func time(_ seconds: Int64) -> PostgresTime { PostgresTime(rawValue: seconds * 1_000_000) }

    static func segment(
        _ number: UInt64,
        timeline: UInt32 = 1,
        times: ClosedRange<Int64>?,
        ids: (lowest: UInt32, highest: UInt32)? = nil,
        fault: Bool = false,
        events: [SurveyEvent] = []
    ) -> IndexedSegment {
        let name = SegmentName(timeline: TimelineID(timeline), number: number, size: size)
        let start = size.start(of: number)
        var summary = SegmentSummary(segment: name, end: start.advanced(by: size.bytes))
        summary.records = 1
        summary.firstRecord = start.advanced(by: 40)
        if let times {
            summary.commits = 1
            summary.earliestTime = time(times.lowerBound)
            summary.latestTime = time(times.upperBound)
            summary.lastCommit = .init(
                time: time(times.upperBound),
                transactionID: ids?.highest ?? 3,
                start: start.advanced(by: 100),
                end: start.advanced(by: 140)
            )
        }
        summary.lowestTransactionID = ids?.lowest
        summary.highestTransactionID = ids?.highest
        return IndexedSegment(
            number: number,
            summary: summary,
            events: events,
            fault: fault ? .init(readable: start, what: "it is broken") : nil
        )
    }

    static func name(_ number: UInt64, _ timeline: UInt32 = 1) -> SegmentName {
        SegmentName(timeline: TimelineID(timeline), number: number, size: size)
    }

    static func lookup(_ segments: [IndexedSegment]) throws -> (IndexDatabase, IndexLookup) {
        let index = try IndexDatabase(":memory:")
        for segment in segments { try index.insert(segment) }
        return (index, IndexLookup(index, size: size))
    }

    @Test("a time lies in the first segment with a later commit, also where the clock went back")
    func times() throws {
        let (_, lookup) = try Self.lookup([
            Self.segment(1, times: 10...19), Self.segment(2, times: 20...29), Self.segment(3, times: nil),
            Self.segment(4, times: 15...17), Self.segment(5, times: 25...40), Self.segment(6, times: 41...50),
        ])
        let path = TimelinePath(TimelineID(1))
        let all = try lookup.covered(from: Self.size.start(of: 1), along: path)
        #expect(all.map(\.numbers) == [1...6])
        for (seconds, number) in [(5, 1), (18, 1), (19, 2), (29, 5), (40, 6), (49, 6)] as [(Int64, UInt64)] {
            let found = try lookup.first(.time(Self.time(seconds), inclusive: true), in: all)
            #expect(found == Self.name(number), "\(seconds)")
        }
        try #expect(lookup.first(.time(Self.time(50), inclusive: true), in: all) == nil)
        try #expect(lookup.first(.time(Self.time(50), inclusive: false), in: all) == Self.name(6))
        // From behind the step on, earlier commits count too.
        let late = try lookup.covered(from: Self.size.start(of: 4), along: path)
        try #expect(lookup.first(.time(Self.time(14), inclusive: true), in: late) == Self.name(4))
        try #expect(lookup.first(.time(Self.time(17), inclusive: true), in: late) == Self.name(5))
    }

    @Test("a transaction is found among ids that wrap around")
    func transactions() throws {
        let (_, lookup) = try Self.lookup([
            Self.segment(1, times: 1...2, ids: (4_294_967_000, 4_294_967_100)),
            Self.segment(2, times: 3...4, ids: (4_294_967_090, 20)), Self.segment(3, times: 5...6, ids: (21, 30)),
        ])
        let all = try lookup.covered(from: Self.size.start(of: 1), along: TimelinePath(TimelineID(1)))
        for (id, number) in [(4_294_967_050, 1), (4_294_967_095, 1), (4_294_967_200, 2), (5, 2), (25, 3)]
            as [(UInt32, UInt64)]
        {
            try #expect(lookup.first(.transaction(id), in: all) == Self.name(number), "\(id)")
        }
        try #expect(lookup.first(.transaction(31), in: all) == nil)
        try #expect(lookup.first(.transaction(1_000_000), in: all) == nil)
    }

    @Test("a clock that went back within a segment is told; times of segments that are gone are not")
    func steps() throws {
        var jumped = Self.segment(3, times: 5...6)
        jumped.summary.clockSteppedBack = true
        let segments = [
            Self.segment(1, times: 1...900), Self.segment(2, times: 903...904), jumped,
            Self.segment(4, times: 907...908),
            Self.segment(5, times: 909...910), Self.segment(6, times: 911...912),
        ]
        let path = TimelinePath(TimelineID(1))
        let passed = { (segments: [IndexedSegment], first: UInt64) in
            let (index, lookup) = try Self.lookup(segments)
            for number in 1..<first { try index.remove(.init(timeline: TimelineID(1), numbers: number...number)) }
            return try #require(try lookup.passOver(.end, from: Self.size.start(of: first), along: path))
        }
        try #expect(passed(segments, 1).clockSteppedBack)
        // The clock was an hour ahead before the oldest segment that is kept.
        let later = [Self.segment(1, times: 1...4000)] + (2...5).map { Self.segment($0, times: 100...101) }
        try #expect(passed(later, 2).newestTime == Self.time(101))
        try #expect(passed(later, 1).newestTime == Self.time(4000))
        try #expect(passed(Array(segments.suffix(3)), 4).newestTime == Self.time(908))
        try #expect(!passed(Array(segments.suffix(3)), 4).clockSteppedBack)
    }

    @Test("what is passed over tells its first barrier, and where full pages were no longer written")
    func barriers() throws {
        func event(_ start: UInt64, _ kind: SurveyEvent.Kind) -> SurveyEvent {
            let start = LSN(start)
            return SurveyEvent(
                start: start,
                end: start.advanced(by: 50),
                timeline: TimelineID(1),
                time: nil,
                transactionID: 0,
                database: nil,
                kind: kind
            )
        }
        func change(_ level: WALLevel) -> SurveyEvent.Kind {
            .parameterChange(
                .init(
                    maxConnections: 10,
                    maxWorkerProcesses: 8,
                    maxWALSenders: 0,
                    maxPreparedTransactions: 0,
                    maxLocksPerTransaction: 64,
                    walLevel: level
                )
            )
        }
        let base = Self.size.start(of: 2).rawValue
        let (_, lookup) = try Self.lookup([
            Self.segment(1, times: 1...2),
            Self.segment(
                2,
                times: 3...4,
                events: [
                    event(base + 100, change(.replica)), event(base + 200, .fullPageWritesChange(true)),
                    event(base + 300, .fullPageWritesChange(false)), event(base + 400, change(.minimal)),
                    event(base + 500, .tablespaceCreate(oid: 9, path: "/fast")),
                ]
            ),
            Self.segment(3, times: 5...6), Self.segment(4, times: 7...8), Self.segment(5, times: 9...10),
        ])
        let path = TimelinePath(TimelineID(1))
        let all = try #require(try lookup.passOver(.end, from: Self.size.start(of: 1), along: path))
        #expect(all.barrier == ReplayBarrier(start: LSN(base + 400), kind: .minimalWAL))
        #expect(all.fullPageWritesOff == LSN(base + 300))
        let later = try #require(try lookup.passOver(.end, from: Self.size.start(of: 3), along: path))
        #expect(later.barrier == nil && later.fullPageWritesOff == nil)
    }

    @Test("what is covered ends at a hole and at damage, and goes on along timelines")
    func covered() throws {
        var segments = [1, 2, 3, 5, 6].map { Self.segment($0, times: 1...2) }
        segments.append(Self.segment(7, times: 3...4, fault: true))
        segments.append(Self.segment(8, times: 3...4))
        segments += [6, 7].map { Self.segment($0, timeline: 2, times: 1...2) }
        let (index, lookup) = try Self.lookup(segments)
        let first = TimelinePath(TimelineID(1))
        let at = { (number: UInt64) in Self.size.start(of: number) }
        try #expect(lookup.covered(from: at(1), along: first).map(\.numbers) == [1...3])
        try #expect(lookup.covered(from: at(4), along: first).isEmpty)
        try #expect(lookup.covered(from: at(5), along: first).map(\.numbers) == [5...6])
        try #expect(lookup.covered(from: at(7), along: first).isEmpty)
        try #expect(lookup.covered(from: at(8), along: first).map(\.numbers) == [8...8])
        // Timeline 2 begins in the middle of segment 6.
        let path = TimelinePath(
            ancestors: [(TimelineID(1), at(6).advanced(by: 500))],
            timeline: TimelineID(2)
        )
        let stretches = try lookup.covered(from: at(5), along: path)
        #expect(stretches.map(\.timeline) == [TimelineID(1), TimelineID(2)])
        #expect(stretches.map(\.numbers) == [5...5, 6...7])
        // A row that goes takes the way across with it.
        try index.remove(.init(timeline: TimelineID(1), numbers: 2...2))
        try #expect(lookup.covered(from: at(1), along: first).map(\.numbers) == [1...1])
        try #expect(lookup.covered(from: at(3), along: first).map(\.numbers) == [3...3])
    }

    @Test("what is passed over ends before a segment with a commit, and says all that a target needs")
    func passedOver() throws {
        let (_, lookup) = try Self.lookup([
            Self.segment(1, times: 10...19), Self.segment(2, times: 20...29), Self.segment(3, times: 30...39),
            Self.segment(4, times: nil), Self.segment(5, times: 40...49),
        ])
        let path = TimelinePath(TimelineID(1))
        let redo = Self.size.start(of: 1).advanced(by: 1000)
        let over = try lookup.passOver(.time(Self.time(45), inclusive: true), from: redo, along: path)
        let passed = try #require(over)
        #expect(passed.end == Self.size.start(of: 3))
        #expect(passed.newestTime == Self.time(29))
        #expect(passed.lastCommit?.time == Self.time(29))
        #expect(!passed.clockSteppedBack)
        try #expect(lookup.passOver(.time(Self.time(21), inclusive: true), from: redo, along: path) == nil)
        let end = try lookup.passOver(.end, from: redo, along: path)
        #expect(end?.end == Self.size.start(of: 3))
        let position = try lookup.passOver(.position(Self.size.start(of: 5).advanced(by: 9)), from: redo, along: path)
        #expect(position?.end == Self.size.start(of: 3))
    }

    @Test("a million segments are no scan: the query plans use the index")
    func queryPlans() throws {
        let (index, _) = try Self.lookup([])
        for query in [
            IndexLookup.maximumBefore, IndexLookup.firstByTime, IndexLookup.transactionBounds,
            IndexLookup.firstEnding, IndexLookup.lastOfRun, IndexLookup.lastWithCommits, IndexLookup.nextLower,
            IndexLookup.nextHigher, IndexLookup.maximumReached,
        ] {
            let values = query.filter { $0 == "?" }.map { _ in SQLiteValue.integer(1) }
            let plan = try index.database.rows("EXPLAIN QUERY PLAN \(query)", values) { $0.text(3) ?? "" }
            #expect(plan.contains { $0.contains("SEARCH") }, "\(query): \(plan)")
            #expect(!plan.contains { $0.hasPrefix("SCAN segments") || $0.contains("TEMP B-TREE") }, "\(query): \(plan)")
        }
    }
}
