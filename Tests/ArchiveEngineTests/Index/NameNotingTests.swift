import ArchiveEngine
import ArchiveModel
import Testing
import WALFormat

@Suite("Noting which events have all their names")
struct NameNotingTests {
    private func file(_ number: UInt32) -> RelationFile {
        RelationFile(tablespace: 1663, database: 5, number: number)
    }

    private func drop(_ files: [UInt32]) -> SurveyEvent.Kind {
        .drop(.init(removed: files.map { file($0) }, dropped: files, locked: [], created: []))
    }

    private func add(_ kinds: [SurveyEvent.Kind], in number: UInt64, to index: IndexDatabase) throws {
        let start = IndexLookupTests.size.start(of: number)
        let events = kinds.enumerated().map { place, kind in
            SurveyEvent(
                start: start.advanced(by: 128 * UInt64(place + 1)),
                end: start.advanced(by: 128 * UInt64(place + 1) + 64),
                timeline: TimelineID(1),
                time: nil,
                transactionID: 700,
                database: 5,
                kind: kind
            )
        }
        try index.database.transaction {
            try index.insert(IndexLookupTests.segment(number, times: nil, events: events))
        }
    }

    /// Tables whose files and oids are these.
    private func name(_ numbers: some Sequence<UInt32>, in index: IndexDatabase) throws {
        try index.database.transaction {
            for number in numbers {
                try index.insert(
                    KnownName(
                        database: 5,
                        relation: number,
                        file: number,
                        schema: "public",
                        name: "table_\(number)",
                        kind: .table,
                        seenFrom: LSN(100)
                    )
                )
            }
        }
    }

    private func events(named: Bool, in index: IndexDatabase) throws -> Int64? {
        try index.database.rows("SELECT count(*) FROM events WHERE is_named = ?", [.integer(named ? 1 : 0)]) {
            $0.integer(0) ?? 0
        }.first
    }

    /// Until nothing is left; how many steps that took.
    private func note(
        _ noting: inout NameNoting,
        in index: IndexDatabase,
        most: Int = 100,
        seconds: Double = 600
    ) throws -> Int {
        var steps = 1
        while try noting.step(index, most: most, seconds: seconds) {
            steps += 1
            try #require(steps < 10_000, "it does not end")
        }
        return steps
    }

    @Test("in steps all are noted that have names, also behind many that have none, which are not asked for for ever")
    func all() throws {
        let index = try IndexDatabase(":memory:")
        try name(10_000...13_000, in: index)
        try add((10_000..<13_000).map { drop([$0]) }, in: 1, to: index)
        try add((1...300).map { drop([$0]) }, in: 2, to: index)
        try add((12_800..<13_000).map { .massDelete(relation: file($0), rows: 100) }, in: 3, to: index)
        try add((301...350).map { .massDelete(relation: file($0), rows: 100) }, in: 4, to: index)

        var noting = NameNoting(leisure: 0)
        let first = try note(&noting, in: index)
        #expect(first >= 35)
        #expect(try events(named: true, in: index) == 3200)
        #expect(try events(named: false, in: index) == 350)

        // Nothing has come: there is nothing to do, though one could be named by now.
        try name([1], in: index)
        let second = try note(&noting, in: index)
        #expect(second == 1)
        #expect(try events(named: false, in: index) == 350)
        try add([drop([13_000])], in: 5, to: index)
        _ = try note(&noting, in: index)
        #expect(try events(named: true, in: index) == 3202)
        #expect(try events(named: false, in: index) == 349)
    }

    @Test("a step that has no time takes one event, and so it ends all the same")
    func time() throws {
        let index = try IndexDatabase(":memory:")
        try name(10_000..<10_020, in: index)
        try add((10_000..<10_020).map { drop([$0]) } + [drop([1])], in: 1, to: index)
        var noting = NameNoting(leisure: 0)
        let steps = try note(&noting, in: index, seconds: 0)
        #expect(steps >= 21)
        #expect(try events(named: true, in: index) == 20)
    }

    @Test("one that lists as much as is listed may hold more, and is looked at ever after")
    func cut() throws {
        let index = try IndexDatabase(":memory:")
        let most = UInt32(SurveyState.listed)
        try name(10_000..<10_000 + most, in: index)
        try add(
            [drop(Array(10_000..<10_000 + most)), drop(Array(10_000..<10_000 + most - 1))],
            in: 1,
            to: index
        )
        var noting = NameNoting(leisure: 0)
        _ = try note(&noting, in: index)
        #expect(try events(named: true, in: index) == 1)
        #expect(try events(named: false, in: index) == 1)
    }
}
