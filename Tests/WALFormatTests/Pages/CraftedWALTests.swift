import ArchiveTesting
import Testing
import WALFormat

/// WAL made to measure: each way in which a record can lie over pages and segments.
@Suite struct CraftedWALTests {
    static let start = LSN(0x1_0030_0000)

    private func scan(_ craft: WALCraft, chunk: Int = .max) -> Scan {
        var scan = Scan(SegmentScanner(startingAt: craft.start, segmentSize: craft.segmentSize))
        scan.feed(craft.bytes) { _ in chunk }
        return scan
    }

    /// The second record begins at each place of a page, so that its header is cut after 8, 16 or no bytes.
    @Test func headersAndBodiesOverPages() {
        // All around the page's end, some before.
        for size in Array(stride(from: 24, to: 8080, by: 61)) + Array(8080...8210) {
            var craft = WALCraft(start: Self.start, segmentSize: Fixture.size)
            craft.filler(byteCount: size)
            craft.commit(7, at: PostgresTime(rawValue: 1))
            craft.filler(byteCount: 24)
            let seen = scan(craft, chunk: size % 3 == 0 ? 5 : .max)
            #expect(seen.seen.map(\.record) == craft.records, "a first record of \(size) bytes")
            #expect(seen.scanner.fault == nil)
            #expect(seen.scanner.recordEnd == craft.position)
        }
    }

    /// A record's alignment, the end of its page and the end of its segment fall together.
    @Test(arguments: [8192 - 40, 8192 - 40 - 7, 8192 - 40 - 8, 8192 - 40 + 1])
    func endsAtThePage(size: Int) {
        var craft = WALCraft(start: Self.start, segmentSize: Fixture.size)
        let first = craft.filler(byteCount: size)
        if size <= 8192 - 40 && size > 8192 - 48 {
            #expect(first.end.rawValue % 8192 == 0)
        }
        craft.filler(byteCount: 100)
        #expect(scan(craft).seen.map(\.record) == craft.records)
    }

    @Test(arguments: 0..<30)
    func randomWAL(seed: Int) {
        var random = SeededGenerator(seed: UInt64(seed))
        let craft = Self.random(&random)
        let whole = scan(craft)
        #expect(whole.seen.map(\.record) == craft.records)
        #expect(whole.scanner.fault == nil)
        var parts = Scan(SegmentScanner(startingAt: craft.start, segmentSize: craft.segmentSize))
        let largest = craft.bytes.count < 100_000 ? 3 : [100, 1000, 30_000].randomElement(using: &random) ?? 100
        parts.feed(craft.bytes) { _ in Int.random(in: 1...largest, using: &random) }
        #expect(parts == whole)
    }

    static func random(_ random: inout SeededGenerator) -> WALCraft {
        var craft = WALCraft(start: start, segmentSize: Fixture.size)
        for _ in 0..<Int.random(in: 1...60, using: &random) {
            switch Int.random(in: 0..<20, using: &random) {
            case 0: craft.switchSegment()
            case 1: craft.unfinishedRecord()
            case 2: craft.filler(byteCount: Int.random(in: 24...400_000, using: &random))
            case 3...6: craft.filler(byteCount: Int.random(in: 24...20_000, using: &random))
            case 7:
                craft.createTablespace(5, path: String(repeating: "p", count: Int.random(in: 1...9000, using: &random)))
            default: craft.filler(byteCount: Int.random(in: 24...300, using: &random))
            }
        }
        craft.commit(9, at: PostgresTime(rawValue: 9))
        return craft
    }

    /// The switch record itself may end at the segment's end, or reach over it.
    @Test(arguments: [0, 8, 16, 24, 32, 40])
    func switchesNearTheSegmentsEnd(spaceBefore: Int) {
        var craft = WALCraft(start: Self.start, segmentSize: Fixture.size)
        let pages = (1 << 20) / 8192
        let payload = (1 << 20) - 40 - (pages - 1) * 24
        craft.filler(byteCount: payload - spaceBefore)
        let record = craft.switchSegment()
        craft.filler(byteCount: 50)
        let end = Fixture.size.segmentEnd(of: Self.start)
        #expect(record.end == (24...40 ~= spaceBefore ? end : end.advanced(by: 1 << 20)))
        let seen = scan(craft, chunk: 1000)
        #expect(seen.seen.map(\.record) == craft.records)
    }

    /// The first page of a segment says that the record which the segment before left open is void.
    @Test func overwrittenAtASegmentsStart() {
        var craft = WALCraft(start: Self.start, segmentSize: Fixture.size)
        let payload = (1 << 20) - 40 - ((1 << 20) / 8192 - 1) * 24
        let first = craft.filler(byteCount: payload - 400)
        craft.unfinishedRecord()
        let boundary = craft.position
        #expect(Fixture.size.offset(of: boundary) == 0)
        let second = craft.filler(byteCount: 30)
        #expect(second.previous == first.start)
        for chunk in [Int.max, 13] {
            let seen = scan(craft, chunk: chunk)
            #expect(seen.seen.map(\.record) == craft.records)
            #expect(seen.scanner.fault == nil)
        }
        var alone = Scan(SegmentScanner(startingAt: boundary, segmentSize: Fixture.size))
        alone.feed(craft.bytes[Int(boundary.bytes(since: craft.start))...])
        #expect(alone.seen.map(\.record) == [second])
    }

    @Test func recordEndFollowsThroughASwitch() {
        var craft = WALCraft(start: Self.start, segmentSize: Fixture.size)
        craft.filler(byteCount: 100)
        let record = craft.record(ResourceManager.xlog, info: 0x40, body: [])
        let ownEnd = craft.position
        craft.finishSegment()
        var scanner = SegmentScanner(startingAt: Self.start, segmentSize: Fixture.size)
        craft.bytes.withUnsafeBytes { all in
            scanner.consume(UnsafeRawBufferPointer(rebasing: all[..<5000]))
            #expect(scanner.recordEnd == ownEnd)
            #expect(scanner.openRecordStart == nil)
            let resumed = scanner.resumedAtRecordEnd()
            scanner.consume(UnsafeRawBufferPointer(rebasing: all[5000...]))
            #expect(scanner.recordEnd == record.end)
            #expect(scanner.position == record.end)
            var again = resumed
            again.consume(UnsafeRawBufferPointer(rebasing: all[Int(ownEnd.bytes(since: Self.start))...]))
            #expect(again.recordEnd == record.end)
            #expect(again.fault == nil)
        }
    }

    @Test func openRecordIsKnown() {
        var craft = WALCraft(start: Self.start, segmentSize: Fixture.size)
        let first = craft.filler(byteCount: 100)
        let second = craft.filler(byteCount: 20_000)
        var scanner = SegmentScanner(startingAt: Self.start, segmentSize: Fixture.size)
        craft.bytes.withUnsafeBytes { all in
            for offset in all.indices {
                scanner.consume(UnsafeRawBufferPointer(rebasing: all[offset...offset]))
                let open = scanner.position
                #expect(open == Self.start.advanced(by: UInt64(offset + 1)))
                #expect(scanner.recordEnd <= scanner.position)
                if scanner.position > second.start, scanner.position < second.end {
                    #expect(scanner.openRecordStart == second.start)
                    #expect(scanner.recordEnd == first.end)
                }
            }
        }
        #expect(scanner.openRecordStart == nil)
        #expect(scanner.recordEnd == second.end)
    }

    /// Bodies come whole where they are wanted, and as a beginning when they are very long.
    @Test func bodies() {
        var craft = WALCraft(start: Self.start, segmentSize: Fixture.size)
        let content = (0..<30_000).map { UInt8(truncatingIfNeeded: $0 &* 31) }
        let long = [UInt8](repeating: 5, count: SegmentScanner.maxBodyBytes + 100)
        craft.record(ResourceManager.transaction, body: Array(content[..<100]))
        craft.record(ResourceManager.xlog, info: 0xB0, body: content)
        let btree: UInt8 = 11
        craft.record(btree, body: content)
        craft.record(ResourceManager.database, body: [])
        craft.record(ResourceManager.transaction, body: long)
        craft.record(ResourceManager.tablespace, body: content)
        for chunk in [Int.max, 999] {
            let bodies = scan(craft, chunk: chunk).seen.map(\.body)
            #expect(bodies.count == 6)
            #expect(
                bodies == [
                    Array(content[..<100]), content, [], [], Array(long[..<SegmentScanner.maxBodyBytes]), content,
                ]
            )
        }
    }
}
