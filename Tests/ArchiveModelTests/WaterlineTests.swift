import ArchiveModel
import Testing
import WALFormat

@Suite("Timeline paths and the waterline")
struct WaterlineTests {
    @Test(arguments: ["1", "1@0/5A0,2", "1@0/5A0,3@16/B374D848,7"])
    func pathRoundTrip(_ text: String) {
        #expect(TimelinePath(text)?.description == text)
    }

    @Test(arguments: ["", "0", "2@0/5A0,1", "1@0/5A0", "1,2", "1@0/5A0,2@0/100,3", "x", "1@zz,2", "1@0/5A0,"])
    func badPaths(_ text: String) {
        #expect(TimelinePath(text) == nil)
    }

    @Test func timelineAtPosition() throws {
        // Promoted twice at one position: a timeline without WAL of its own.
        let empty = try #require(TimelinePath("1@0/500,2@0/500,3"))
        #expect(empty.description == "1@0/500,2@0/500,3")
        #expect(empty.timeline(at: LSN(0x4FF)) == TimelineID(1) && empty.timeline(at: LSN(0x500)) == TimelineID(3))
        #expect(TimelinePath("1@0/500,2@0/400,3") == nil && TimelinePath("1@0/0,2") == nil)
        let path = try #require(TimelinePath("1@0/500,2@0/900,4"))
        #expect(path.timeline(at: LSN(0x4FF)) == TimelineID(1))
        #expect(path.timeline(at: LSN(0x500)) == TimelineID(2))
        #expect(path.timeline(at: LSN(0xFFFF)) == TimelineID(4))
        #expect(path.target == TimelineID(4))
    }

    private static func station(_ name: String, _ position: UInt64?) -> Waterline.Station {
        .init(name: name, position: position.map { LSN($0) })
    }

    @Test("lag is counted from the furthest position; a station ahead of its feeder is a violation")
    func lag() {
        let good = Waterline(
            upstream: Self.station("upstream", 1000),
            received: Self.station("received", 900),
            durable: Self.station("durable", 800),
            indexed: Self.station("indexed", 400),
            replayed: Self.station("replayed", nil),
            snapshot: Self.station("snapshot", 100)
        )
        #expect(good.stations.map(\.lagBytes) == [0, 100, 200, 600, nil, 900])
        #expect(good.violations.isEmpty)
        let bad = Waterline(
            upstream: Self.station("upstream", 1000),
            received: Self.station("received", 900),
            durable: Self.station("durable", 950),
            indexed: Self.station("indexed", 951),
            replayed: Self.station("replayed", 10),
            snapshot: Self.station("snapshot", 20)
        )
        #expect(bad.violations.count == 3)
    }

    @Test("what is indexed and what is replayed both follow what is durable, and not each other")
    func branches() {
        let line = Waterline(
            upstream: Self.station("upstream", 1000),
            received: Self.station("received", 900),
            durable: Self.station("durable", 800),
            indexed: Self.station("indexed", 100),
            replayed: Self.station("replayed", 700),
            snapshot: Self.station("snapshot", 600)
        )
        #expect(line.violations.isEmpty)
    }

    @Test("behind an upstream that has not been heard, nobody knows how far one is")
    func unknownUpstream() {
        let line = Waterline(
            upstream: Self.station("upstream", nil),
            received: Self.station("received", 900),
            durable: Self.station("durable", 800),
            indexed: Self.station("indexed", 100),
            replayed: Self.station("replayed", 700),
            snapshot: Self.station("snapshot", 100)
        )
        #expect(line.stations.allSatisfy { $0.lagBytes == nil })
        #expect(line.violations.isEmpty)
    }
}
