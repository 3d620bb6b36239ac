import ArchiveTesting
import Testing
import WALFormat

/// The scanner against pg_waldump, record for record.
@Suite struct SegmentScannerTests {
    static let timelines: [UInt32] = [1, 2]

    @Test(arguments: Fixture.all, timelines)
    func findsWhatPgWaldumpFinds(fixture: Fixture, timeline: UInt32) throws {
        let (start, bytes) = try fixture.wal(timeline: timeline)
        let dump = try fixture.dump(timeline: timeline)
        var scan = Scan(SegmentScanner(startingAt: start, segmentSize: Fixture.size))
        scan.feed(bytes)
        #expect(scan.seen.count == dump.count)
        for (seen, expected) in zip(scan.seen, dump) {
            let found = Fixture.DumpedRecord(
                start: seen.record.start,
                previous: seen.record.previous,
                totalLength: seen.record.totalLength,
                manager: ResourceManager.name(seen.record.resourceManager),
                transactionID: seen.record.transactionID,
                description: expected.description
            )
            #expect(found == expected)
        }
        #expect(scan.scanner.major == fixture.major)
        #expect(scan.scanner.pageTimeline == TimelineID(timeline))
    }

    /// Each record's end is where the next one's search begins: its start, or the page boundary before it.
    @Test(arguments: Fixture.all)
    func recordEndsMeetTheNextStart(fixture: Fixture) throws {
        let (start, bytes) = try fixture.wal(timeline: 1)
        var scan = Scan(SegmentScanner(startingAt: start, segmentSize: Fixture.size))
        scan.feed(bytes)
        var overwritten = 0
        for (one, next) in zip(scan.seen, scan.seen.dropFirst()) {
            let end = one.record.end
            let header: UInt64 = Fixture.size.offset(of: end) == 0 ? 40 : 24
            let begin = end.rawValue % 8192 == 0 ? end.advanced(by: header) : end
            if next.record.resourceManager == ResourceManager.xlog, next.record.info & 0xF0 == 0xD0 {
                overwritten += 1
            } else {
                #expect(begin == next.record.start)
            }
        }
        #expect(overwritten == 1)
    }

    @Test(arguments: Fixture.all)
    func endsAtZerosAsEndOfWAL(fixture: Fixture) throws {
        let (start, bytes) = try fixture.wal(timeline: 1)
        let fork = try #require(TimelineHistory(timeline: TimelineID(2), text: fixture.text("00000002.history")).parent)
        var scan = Scan(SegmentScanner(startingAt: start, segmentSize: Fixture.size))
        scan.feed(bytes)
        #expect(scan.scanner.fault == ScanFault(.endOfWAL, at: fork.end))
        #expect(scan.scanner.recordEnd == fork.end)
        #expect(scan.scanner.position == fork.end)
        #expect(scan.scanner.openRecordStart == nil)
    }

    @Test(arguments: Fixture.all)
    func anyChunksGiveTheSame(fixture: Fixture) throws {
        let (start, all) = try fixture.wal(timeline: 1)
        let fresh = SegmentScanner(startingAt: start, segmentSize: Fixture.size)
        var random = SeededGenerator(seed: UInt64(fixture.major.rawValue))
        for largest in [1, 7, 100, 8191, 8192, 8193, 130_000] {
            let bytes = largest < 100 ? Array(all[..<200_000]) : all
            var whole = Scan(fresh)
            whole.feed(bytes)
            var parts = Scan(fresh)
            let exact = largest == 1 || largest == 8192
            parts.feed(bytes) { _ in exact ? largest : Int.random(in: 1...largest, using: &random) }
            #expect(parts == whole, "chunks up to \(largest)")
        }
    }

    /// A scan stopped anywhere goes on from its copy as if nothing had happened; and from its last record's end.
    @Test(arguments: Fixture.all)
    func goesOnFromCopyAndFromRecordEnd(fixture: Fixture) throws {
        let (start, bytes) = try fixture.wal(timeline: 1)
        var whole = Scan(SegmentScanner(startingAt: start, segmentSize: Fixture.size))
        whole.feed(bytes)
        var random = SeededGenerator(seed: 7)
        for _ in 0..<40 {
            let cut = Int.random(in: 0...bytes.count, using: &random)
            var first = Scan(SegmentScanner(startingAt: start, segmentSize: Fixture.size))
            first.feed(bytes[..<cut])
            var second = first
            second.feed(bytes[cut...])
            #expect(second == whole, "cut at \(cut)")

            var resumed = Scan(first.scanner.resumedAtRecordEnd())
            resumed.seen = first.seen
            resumed.feed(bytes[Int(first.scanner.recordEnd.bytes(since: start))...])
            #expect(resumed == whole, "resumed at \(first.scanner.recordEnd)")
        }
    }

    /// From any record's start and end, in the middle of segments and pages.
    @Test(arguments: Fixture.all)
    func startsAtAnyRecord(fixture: Fixture) throws {
        let (start, bytes) = try fixture.wal(timeline: 1)
        var whole = Scan(SegmentScanner(startingAt: start, segmentSize: Fixture.size))
        whole.feed(bytes)
        for index in stride(from: 1, to: whole.seen.count, by: 13) {
            for begin in [whole.seen[index].record.start, whole.seen[index - 1].record.end] {
                var scan = Scan(SegmentScanner(startingAt: begin, segmentSize: Fixture.size))
                scan.feed(bytes[Int(begin.bytes(since: start))...])
                #expect(scan.seen == Array(whole.seen[index...]), "from \(begin)")
                #expect(scan.scanner.fault == whole.scanner.fault)
            }
        }
    }

    /// Each segment alone: what continues from the one before is skipped, what goes on in the next stays open.
    @Test(arguments: Fixture.all)
    func readsSegmentsAlone(fixture: Fixture) throws {
        let (start, bytes) = try fixture.wal(timeline: 1)
        var whole = Scan(SegmentScanner(startingAt: start, segmentSize: Fixture.size))
        whole.feed(bytes)
        for offset in stride(from: 0, to: bytes.count, by: Int(Fixture.size.bytes)) {
            let from = start.advanced(by: UInt64(offset))
            let end = Fixture.size.segmentEnd(of: from)
            var scan = Scan(SegmentScanner(startingAt: from, segmentSize: Fixture.size))
            scan.feed(bytes[offset..<offset + Int(Fixture.size.bytes)])
            #expect(scan.seen == whole.seen.filter { $0.record.start >= from && $0.record.end <= end })
        }
    }

    @Test func stopsWhereTheVisitorSays() throws {
        let fixture = Fixture(major: .v15)
        let (start, bytes) = try fixture.wal(timeline: 1)
        var whole = Scan(SegmentScanner(startingAt: start, segmentSize: Fixture.size))
        whole.feed(bytes)
        for index in stride(from: 0, to: whole.seen.count, by: 31) {
            var scanner = SegmentScanner(startingAt: start, segmentSize: Fixture.size)
            let wanted = whole.seen[index].record
            bytes.withUnsafeBytes { all in
                scanner.consume(all) { record, _ in record == wanted ? .stop : .proceed }
                scanner.consume(all)
            }
            #expect(scanner.stopped)
            #expect(scanner.lastRecordStart == wanted.start)
            #expect(scanner.position == scanner.recordEnd)
            if !wanted.isSegmentSwitch {
                #expect(scanner.position == wanted.end)
            }
        }
    }

    @Test func aVisitorsErrorLeavesTheRecordConsumed() throws {
        struct Enough: Error {}
        let (start, bytes) = try Fixture(major: .v15).wal(timeline: 1)
        var whole = Scan(SegmentScanner(startingAt: start, segmentSize: Fixture.size))
        whole.feed(bytes)
        var scan = Scan(SegmentScanner(startingAt: start, segmentSize: Fixture.size))
        var count = 0
        #expect(throws: Enough.self) {
            try bytes.withUnsafeBytes { all in
                try scan.scanner.consume(all) { record, body in
                    scan.seen.append(Scan.Seen(record: record, body: Array(body)))
                    count += 1
                    if count == 100 { throw Enough() }
                    return .proceed
                }
            }
        }
        scan.feed(bytes[Int(scan.scanner.position.bytes(since: start))...])
        #expect(scan == whole)
    }
}
