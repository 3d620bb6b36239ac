import ArchiveEngine
import ArchiveModel
import Testing
import WALFormat

@testable import pgarchive

/// What findings look like.
struct VerifyViewTests {
    static func report() throws -> VerifyReport {
        let size = try #require(SegmentSize(bytes: 16 << 20))
        var facts = ChainFacts(segmentSize: size)
        facts.files = [5, 6, 8, 9].map {
            ChainFacts.File(
                name: SegmentName(timeline: TimelineID(1), number: $0, size: size),
                bytes: $0 == 9 ? 4711 : size.bytes
            )
        }
        let start = try #require(PostgresTime("2026-11-21T08:00:00.000000Z"))
        facts.roots = [(5, "monday"), (8, "tuesday")].map { number, name in
            ChainFacts.Root(
                kind: .snapshot,
                name: name,
                timeline: TimelineID(1),
                redo: LSN(number << 24 + 40),
                consistent: LSN(number << 24 + 4096),
                time: PostgresTime(rawValue: start.rawValue + Int64(number) * 3_600_000_000)
            )
        }
        facts.damagedSnapshots = ["broken": "'redo' is missing"]
        facts.otherNames = ["README"]
        let plan = ChainPlan(facts)
        var breaks = plan.breaks
        breaks[0].lastBefore = PostgresTime(rawValue: start.rawValue + 21_999_000_000)
        return VerifyReport(
            at: start,
            deep: false,
            seconds: 0.25,
            segments: 4,
            bytes: 0,
            timelines: [.init(timeline: TimelineID(1), from: LSN(5 << 24), to: LSN(10 << 24))],
            findings: plan.findings(breaks),
            notes: plan.notes
        )
    }

    @Test func asText() throws {
        let local = { (text: String) in HumanText.instant(PostgresTime(text) ?? PostgresTime(rawValue: 0)) }
        let expected = """
            missing: segment 000000010000000000000007 is missing
              lost:  0/7000000 to 0/8000000 on timeline 1
              costs: the moments after \(local("2026-11-21T14:06:39.000000Z")) (0/7000000) and before \
            \(local("2026-11-21T16:00:00.000000Z")) (0/8001000), where snapshot 'tuesday' begins, on timeline 1
              do:    'pgarchive wal_archive verify --repair' fetches it from the upstream, if it still has it; \
            else take a snapshot now

            wrongSize: 000000010000000000000009 holds 4711 bytes instead of 16777216
              lost:  0/9000000 to 0/A000000 on timeline 1
              costs: every moment after 0/9000000, on timeline 1
              do:    'pgarchive wal_archive verify --repair' fetches it from the upstream, if it still has it; \
            else take a snapshot now

            snapshotUnreadable: the record of snapshot 'broken' cannot be read: 'redo' is missing
              costs: snapshot 'broken' cannot be used any more
              do:    'pgarchive snapshot delete broken' removes it; until then no WAL expires

            note: README: not WAL
            timeline 1: from 0/5000000 to 0/A000000
            3 findings: 4 segments looked at, not read (--deep reads them), in 250 ms

            """
        try #expect(VerifyView(Self.report()).text(Palette(isOn: false)) == expected)
    }

    @Test func asJSON() throws {
        let text = try JSONFile.text(Self.report().findings.prefix(1).map(\.self))
        let expected = """
            [
              {
                "advice" : "'pgarchive wal_archive verify --repair' fetches it from the upstream, if it still has it; \
            else take a snapshot now",
                "costs" : [
                  {
                    "firstAfter" : "2026-11-21T16:00:00.000000Z",
                    "from" : "0/7000000",
                    "lastBefore" : "2026-11-21T14:06:39.000000Z",
                    "nextSnapshot" : "tuesday",
                    "timelines" : [
                      1
                    ],
                    "to" : "0/8001000"
                  }
                ],
                "file" : "000000010000000000000007",
                "from" : "0/7000000",
                "kind" : "missing",
                "lostSnapshots" : [

                ],
                "segment" : "000000010000000000000007",
                "segments" : 1,
                "stuck" : [

                ],
                "through" : "000000010000000000000007",
                "timeline" : 1,
                "to" : "0/8000000",
                "what" : "segment 000000010000000000000007 is missing"
              }
            ]

            """
        #expect(text == expected)
    }
}
