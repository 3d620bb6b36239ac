import ArchiveEngine
import ArchiveModel
import ArchiveTesting
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

    private enum Naming: Int64 {
        case due
        case named
        case unknown
        case cut
    }

    private func events(_ naming: Naming, in index: IndexDatabase) throws -> Int64? {
        try index.database.rows("SELECT count(*) FROM events WHERE naming = ?", [.integer(naming.rawValue)]) {
            $0.integer(0) ?? 0
        }.first
    }

    /// Until nothing is left; how many steps that took.
    private func note(in index: IndexDatabase, most: Int = 100, seconds: Double = 600) throws -> Int {
        var steps = 1
        while try index.noteNames(most: most, seconds: seconds) {
            steps += 1
            try #require(steps < 10_000, "it does not end")
        }
        return steps
    }

    @Test("in steps all are noted; those without names are asked for again when one of theirs comes, and no others")
    func all() throws {
        let index = try IndexDatabase(":memory:")
        try name(10_000...13_000, in: index)
        try add((10_000..<13_000).map { drop([$0]) }, in: 1, to: index)
        try add((1...300).map { drop([$0, $0 + 1000]) }, in: 2, to: index)
        try add((12_800..<13_000).map { .massDelete(relation: file($0), rows: 100) }, in: 3, to: index)
        try add((301...350).map { .massDelete(relation: file($0), rows: 100) }, in: 4, to: index)

        #expect(try note(in: index) >= 35)
        #expect(try events(.named, in: index) == 3200)
        #expect(try events(.unknown, in: index) == 350)

        // One of the two names is not enough, and is asked for with both.
        try name([1, 301], in: index)
        #expect(try events(.due, in: index) == 2)
        _ = try note(in: index)
        #expect(try events(.unknown, in: index) == 349)
        try name([1001], in: index)
        #expect(try events(.due, in: index) == 1)
        _ = try note(in: index)
        #expect(try events(.named, in: index) == 3202)
        #expect(try events(.unknown, in: index) == 348)
        #expect(try events(.due, in: index) == 0)
    }

    @Test("a step that has no time takes one event, and so it ends all the same")
    func time() throws {
        let index = try IndexDatabase(":memory:")
        try name(10_000..<10_020, in: index)
        try add((10_000..<10_020).map { drop([$0]) } + [drop([1])], in: 1, to: index)
        #expect(try note(in: index, seconds: 0) >= 21)
        #expect(try events(.named, in: index) == 20)
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
        _ = try note(in: index)
        #expect(try events(.named, in: index) == 1)
        #expect(try events(.cut, in: index) == 1)
    }

    @Test("nothing that is done for each event or name goes through all of them")
    func queryPlans() throws {
        let index = try IndexDatabase(":memory:")
        try add([drop([7]), .massDelete(relation: file(8), rows: 100)], in: 1, to: index)
        try name([7], in: index)
        _ = try note(in: index)
        try index.remove(.init(timeline: TimelineID(1), numbers: 1...1))
        try index.removeNames(before: LSN(1))
        let texts = index.database.texts.filter { !$0.hasPrefix("INSERT") && !$0.contains("sqlite_schema") }
        #expect(texts.contains { $0.contains("file = ?") } && texts.contains { $0.contains("UPDATE events") })
        for text in texts {
            let values = text.filter { $0 == "?" }.map { _ in SQLiteValue.integer(1) }
            let plan = try index.database.rows("EXPLAIN QUERY PLAN \(text)", values) { $0.text(3) ?? "" }
            let isNarrow = plan.allSatisfy { step in
                // Those of all databases that are gone are looked for once in an expiry.
                (!step.contains("SCAN") || step == "SCAN names") && !step.hasSuffix("(database=?)")
                    && !step.hasSuffix("(timeline=?)")
                    && !step.contains("events_by_kind (kind=?)")
            }
            #expect(isNarrow, "\(text): \(plan)")
        }
    }

    @Test("what is taken out, or put in anew, leaves nothing by which it is found")
    func removed() throws {
        let index = try IndexDatabase(":memory:")
        func relations() throws -> [Int64] {
            try index.database.rows("SELECT relation FROM event_relations ORDER BY relation") { $0.integer(0) ?? 0 }
        }
        try add([drop([7]), .massDelete(relation: file(8), rows: 100)], in: 1, to: index)
        try add([drop([9])], in: 2, to: index)
        #expect(try relations() == [7, 7, 8, 9, 9])
        try add([.massDelete(relation: file(6), rows: 100)], in: 1, to: index)
        #expect(try relations() == [6, 9, 9])
        try index.remove(.init(timeline: TimelineID(1), numbers: 2...2))
        #expect(try relations() == [6])
    }

    @Test("names that were read are kept when the index is made anew for another version")
    func carriedOver() throws {
        try TestDirectory.with { directory in
            let path = "\(directory.path)/index.sqlite"
            do {
                let index = try IndexDatabase(path)
                try name(10_000..<10_003, in: index)
                try add([drop([10_000])], in: 1, to: index)
                try index.setState(IndexDatabase.NamesState(position: LSN(77)), "names")
                // As another version left it: with less, and more, than this one has.
                try index.database.execute(
                    """
                    DROP INDEX names_by_folded; ALTER TABLE names DROP COLUMN folded; DROP TABLE surveys;
                    ALTER TABLE events ADD COLUMN other TEXT; PRAGMA user_version = 2
                    """
                )
            }
            let index = try IndexDatabase(path)
            let names = try index.database.rows("SELECT folded FROM names ORDER BY folded") { $0.text(0) }
            #expect(names == ["table_10000", "table_10001", "table_10002"])
            #expect(try index.namesState()?.position == LSN(77))
            #expect(try index.database.rows("SELECT 1 FROM events") { _ in true }.isEmpty)
        }
    }
}
