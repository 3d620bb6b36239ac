import Testing
import WALFormat

@Suite struct TimelineHistoryTests {
    @Test func readsAncestorsOldestFirst() throws {
        let text = """
            1\t0/16B37480\tno recovery target specified

            # a comment
            2\t1/5000000\tbefore 2026-11-21 08:50:00+00
            5\t1/5000000\tat restore point "a b"
            """
        let history = try TimelineHistory(timeline: TimelineID(7), text: text)
        #expect(
            history.ancestors == [
                .init(timeline: TimelineID(1), end: LSN(0x16B3_7480), reason: "no recovery target specified"),
                .init(timeline: TimelineID(2), end: LSN(0x1_0500_0000), reason: "before 2026-11-21 08:50:00+00"),
                .init(timeline: TimelineID(5), end: LSN(0x1_0500_0000), reason: "at restore point \"a b\""),
            ]
        )
        #expect(history.parent?.timeline == TimelineID(5))
        #expect(history.timeline(at: LSN(0x16B3_747F)) == TimelineID(1))
        #expect(history.timeline(at: LSN(0x16B3_7480)) == TimelineID(2))
        #expect(history.timeline(at: LSN(0x1_0500_0000)) == TimelineID(7))
        #expect(history.end(of: TimelineID(2)) == LSN(0x1_0500_0000))
        #expect(history.end(of: TimelineID(7)) == nil)
        #expect(history.contains(TimelineID(7)) && history.contains(TimelineID(1)) && !history.contains(TimelineID(3)))
    }

    @Test(arguments: Fixture.all)
    func readsAServersFile(fixture: Fixture) throws {
        let history = try TimelineHistory(timeline: TimelineID(2), text: fixture.text("00000002.history"))
        #expect(history.ancestors.count == 1)
        #expect(history.parent?.timeline == TimelineID(1))
        #expect(history.parent?.reason == "no recovery target specified")
    }

    @Test(arguments: [
        "x\t0/1\tr", "1", "1\t01\tr", "1\t0/1/2\tr", "0\t0/1\tr", "3\t0/1\tr", "4\t0/1\tr", "-1\t0/1\tr",
        "2\t0/1\tr\n1\t0/2\tr", "1\t0/2\tr\n1\t0/3\tr", "1\t0/2\tr\n2\t0/1\tr", "4294967296\t0/1\tr",
        "1\t0/123456789\tr", "1\t0/0\tr",
    ])
    func refusesNonsense(text: String) {
        #expect(throws: FormatError.self) { try TimelineHistory(timeline: TimelineID(3), text: text) }
    }

    @Test func namesTheLine() {
        #expect(throws: FormatError.invalid("line 2 of 00000003.history is not 'timeline position reason'")) {
            try TimelineHistory(timeline: TimelineID(3), text: "1\t0/1\tr\r\nnonsense")
        }
    }
}
