import ArchiveEngine
import ArchiveModel
import ArgumentParser
import Testing
import WALFormat

@testable import pgarchive

/// Both forms of `clone create`, in our words and in those of others.
struct CloneRequestTests {
    private func request(_ words: [String]) throws -> CloneRequest {
        let command = try CloneCreateCommand.parse(words)
        return try CloneRequest(words: command.words, options: command.targetOptions)
    }

    struct Row: Sendable {
        let words: [String]
        let name: String
        let snapshot: String?
        let wanted: TargetRequest.Wanted
        var timeline: UInt32?
        var inclusive = true
    }

    static let rows: [Row] = [
        Row(words: ["snap", "look"], name: "look", snapshot: "snap", wanted: .snapshotItself),
        Row(words: ["snap", "look", "1 hour ago"], name: "look", snapshot: "snap", wanted: .time("1 hour ago")),
        Row(words: ["snap", "look", "--at", "noon"], name: "look", snapshot: "snap", wanted: .time("noon")),
        Row(words: ["snap", "look", "--latest"], name: "look", snapshot: "snap", wanted: .latest),
        Row(words: ["look", "--at", "noon"], name: "look", snapshot: nil, wanted: .time("noon")),
        Row(words: ["--at=noon", "look"], name: "look", snapshot: nil, wanted: .time("noon")),
        Row(words: ["look", "--target-time=-1 day"], name: "look", snapshot: nil, wanted: .time("-1 day")),
        Row(words: ["look", "--lsn", "16/B374D848"], name: "look", snapshot: nil, wanted: .lsn(LSN(0x16_B374_D848))),
        Row(words: ["look", "--target-lsn=0/10"], name: "look", snapshot: nil, wanted: .lsn(LSN(16))),
        Row(words: ["look", "--latest"], name: "look", snapshot: nil, wanted: .latest),
        Row(words: ["look", "--snapshot", "snap"], name: "look", snapshot: "snap", wanted: .snapshotItself),
        Row(words: ["look", "--snapshot", "s", "--lsn", "0/1"], name: "look", snapshot: "s", wanted: .lsn(LSN(1))),
        Row(words: ["look", "--type=time", "--target=noon"], name: "look", snapshot: nil, wanted: .time("noon")),
        Row(words: ["look", "--type=lsn", "--target=0/1"], name: "look", snapshot: nil, wanted: .lsn(LSN(1))),
        Row(words: ["look", "--type=default"], name: "look", snapshot: nil, wanted: .latest),
        Row(words: ["look", "--type=immediate", "--set=s"], name: "look", snapshot: "s", wanted: .snapshotItself),
        Row(words: ["look", "--latest", "--timeline", "3"], name: "look", snapshot: nil, wanted: .latest, timeline: 3),
        Row(words: ["look", "--latest", "--target-tli=2"], name: "look", snapshot: nil, wanted: .latest, timeline: 2),
        Row(words: ["look", "--latest", "--target-timeline=latest"], name: "look", snapshot: nil, wanted: .latest),
        Row(words: ["look", "--xid", "733"], name: "look", snapshot: nil, wanted: .transaction(733)),
        Row(words: ["look", "--xid=4294968029"], name: "look", snapshot: nil, wanted: .transaction(733)),
        Row(
            words: ["look", "--target-xid=733", "--exclusive"],
            name: "look",
            snapshot: nil,
            wanted: .transaction(733),
            inclusive: false
        ),
        Row(
            words: ["look", "--type=xid", "--target=733", "--target-exclusive"],
            name: "look",
            snapshot: nil,
            wanted: .transaction(733),
            inclusive: false
        ),
        Row(words: ["look", "--type=name", "--target=v2"], name: "look", snapshot: nil, wanted: .restorePoint("v2")),
        Row(words: ["look", "--target-name=v2"], name: "look", snapshot: nil, wanted: .restorePoint("v2")),
        Row(words: ["look", "--restore-point=v2"], name: "look", snapshot: nil, wanted: .restorePoint("v2")),
        Row(words: ["look", "--before", "0/3A1B2C8"], name: "look", snapshot: nil, wanted: .before(LSN(0x3A1_B2C8))),
        Row(words: ["look", "--before-drop", "shop.t"], name: "look", snapshot: nil, wanted: .beforeDrop("shop.t")),
        Row(words: ["s", "look", "--xid", "733"], name: "look", snapshot: "s", wanted: .transaction(733)),
    ]

    @Test(arguments: rows)
    func understood(_ row: Row) throws {
        let request = try request(row.words)
        #expect(request.name == row.name)
        #expect(request.target.snapshot == row.snapshot)
        #expect(request.target.wanted == row.wanted)
        #expect(request.target.timeline == row.timeline.map { .number(TimelineID($0)) } ?? .newest)
        #expect(request.target.inclusive == row.inclusive)
    }

    @Test func theSnapshotsOwnTimeline() throws {
        #expect(try request(["look", "--latest", "--target-timeline=current"]).target.timeline == .current)
    }

    @Test func swappedWordsAreNoticed() throws {
        let request = try request(["look", "20261121-082350"])
        #expect(
            request.swapped(among: ["20261121-082350"])
                == "the snapshot comes first: 'pgarchive clone create 20261121-082350 look'"
        )
        #expect(request.swapped(among: ["look", "20261121-082350"]) == nil)
        #expect(request.swapped(among: []) == nil)
    }

    @Test(arguments: [
        ["look"], ["a", "b", "c", "d"], ["look", "--at", "noon", "--latest"], ["s", "look", "noon", "--at", "noon"],
        ["look", "--lsn", "16"], ["look", "--lsn", "nonsense"], ["look", "--type=time"], ["look", "--target=noon"],
        ["look", "--type=lsn", "--target=noon"], ["look", "--type=latest", "--target=noon"], ["look", "--type=name"],
        ["look", "--immediate"], ["look", "--latest", "--timeline", "0"], ["look", "--latest", "--timeline", "two"],
        ["look", "--xid", "-1"], ["look", "--xid", "2"], ["look", "--xid", "x"], ["look", "--latest", "--exclusive"],
        ["look", "--restore-point", "a", "--exclusive"], ["look", "--before", "drop"], ["look", "--type=xid"],
        ["look", "--xid", "7", "--lsn", "0/1"], ["look", "--before", "0/1", "--exclusive"],
        ["s", "look", "--snapshot", "other"], ["look", "--at"], [], ["look", "--latest", "--latest-ish"],
    ])
    func refused(_ words: [String]) throws {
        let error = try #require(throws: (any Error).self) { try request(words) }
        let failure = Failure(error)
        #expect(failure.exitCode == 2)
        #expect(!failure.what.isEmpty)
    }
}
