import ArchiveModel
import Testing
import WALFormat
import WALStore

/// What fetch decides by the request's words alone.
@Suite struct FetchPlanTests {
    private let size = SegmentSize(bytes: 1 << 20) ?? .standard

    private func plan(_ name: String, path: String? = nil, until: String? = nil) -> FetchPlan {
        let request = FetchRequest(
            archive: "/nowhere",
            name: name,
            target: "out",
            path: path.flatMap { TimelinePath($0) },
            until: until.flatMap { LSN($0) }
        )
        return FetchPlan(request, segmentSize: size)
    }

    /// The end of what is served; nil when nothing is.
    private func limit(_ name: String, path: String? = nil, until: String? = nil) -> String? {
        guard case .segment(let segment) = plan(name, path: path, until: until) else { return nil }
        return segment.limit.description
    }

    @Test(
        arguments: [
            ("000000010000000000000005", nil, nil, "0/600000"),
            // The end of the archive for this caller: inside, at the end, at the start, before.
            ("000000010000000000000005", "1", "0/512340", "0/512340"),
            ("000000010000000000000005", "1", "0/600000", "0/600000"),
            ("000000010000000000000005", "1", "0/500000", nil),
            ("000000010000000000000005", "1", "0/4FFFF8", nil),
            // The segment in which a timeline begins is the child's, and the parent's copy refused.
            ("000000010000000000000005", "1@0/512340,2", nil, nil),
            ("000000020000000000000005", "1@0/512340,2", nil, "0/600000"),
            ("000000010000000000000004", "1@0/512340,2", nil, "0/500000"),
            ("000000020000000000000004", "1@0/512340,2", nil, nil),
            ("000000010000000000000006", "1@0/512340,2", nil, nil),
            // A fork at a segment's border.
            ("000000010000000000000005", "1@0/600000,2", nil, "0/600000"),
            ("000000020000000000000005", "1@0/600000,2", nil, nil),
            ("000000020000000000000006", "1@0/600000,2", nil, "0/700000"),
            ("000000010000000000000006", "1@0/600000,2", nil, nil),
            // A target before the fork, in its segment: the parent's WAL is all that is needed.
            ("000000010000000000000005", "1@0/512340,2", "0/511000", "0/511000"),
            ("000000020000000000000005", "1@0/512340,2", "0/511000", nil),
            // Two forks in one segment.
            ("000000020000000000000005", "1@0/511000,2@0/512340,3", nil, nil),
            ("000000030000000000000005", "1@0/511000,2@0/512340,3", nil, "0/600000"),
            // Not on the path at all; no segment of this size.
            ("000000070000000000000005", "1@0/512340,2", nil, nil),
            ("000000010000000000001000", nil, nil, nil),
        ] as [(String, String?, String?, String?)]
    )
    func segments(name: String, path: String?, until: String?, expected: String?) {
        #expect(limit(name, path: path, until: until) == expected)
    }

    @Test func histories() {
        #expect(plan("00000002.history") == .history(TimelineID(2), needed: false))
        #expect(plan("00000002.history", path: "1@0/5A0,2") == .history(TimelineID(2), needed: true))
        #expect(plan("00000002.history", path: "1@0/5A0,2@0/6A0,3") == .history(TimelineID(2), needed: false))
        guard case .refused = plan("00000003.history", path: "1@0/5A0,2") else {
            Issue.record("a newer timeline's history is for those only who follow it")
            return
        }
        guard case .refused = plan("00000002.history", path: "1") else {
            Issue.record("a newer timeline's history is for those only who follow it")
            return
        }
    }

    /// A restored cluster finds a number that the archive does not have; its own path it gets as it is.
    @Test func takenTimelines() {
        var request = FetchRequest(archive: "/nowhere", name: "", target: "out", path: TimelinePath("1@0/5A0,3"))
        request.takesNewTimeline = true
        for (name, expected) in [
            ("00000004.history", FetchPlan.takenTimeline(TimelineID(4))),
            ("00000003.history", .history(TimelineID(3), needed: true)),
            ("00000002.history", .refused("timeline 2 is not on the path 1@0/5A0,3")),
        ] {
            request.name = name
            #expect(FetchPlan(request, segmentSize: size) == expected)
        }
    }

    @Test(arguments: [
        "", ".", "..", "/", "../../etc/passwd", "000000010000000000000005/..", "00000001000000000000000",
        "0000000100000000000000055", "00000001000000000000000g", "00000001000000000000000a", "RECOVERYXLOG",
        "000000010000000000000005.zst", "000000010000000000000005.zst.partial", "000000010000000000000005 ",
        "000000010000000000000005\n", "-00000010000000000000005", "00000002.History", "0000002.history",
        "00000000.history", "000000000000000000000005", "000000010000000000000005.0000002.backup", "\u{0}",
        "００００００010000000000000005", String(repeating: "0", count: 300),
    ])
    func namesThatPostgreSQLNeverAsksFor(name: String) {
        #expect(plan(name) == .badName)
    }

    @Test func randomNamesAreRefusedOrSegments() {
        var generator = SystemRandomNumberGenerator()
        let alphabet = Array("0123456789ABCDEFabc./-_ historypartialbackupzst\u{7F}é")
        for _ in 0..<20_000 {
            let count = Int.random(in: 0...44, using: &generator)
            let name = String((0..<count).map { _ in alphabet.randomElement(using: &generator) ?? "0" })
            if case .badName = plan(name, path: "1@0/512340,2", until: "0/700000") { continue }
            #expect(ArchiveFileName(name)?.description == name)
        }
    }
}
