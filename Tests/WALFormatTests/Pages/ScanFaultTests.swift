import ArchiveTesting
import Testing
import WALFormat

/// Each kind of damage is named, at its place, whatever the chunks.
@Suite struct ScanFaultTests {
    /// Where to change what, and the fault that must come of it.
    struct Damage: Sendable, CustomTestStringConvertible {
        let testDescription: String
        let offset: Int
        let bytes: [UInt8]
        let fault: ScanFault
    }

    static let start = LSN(0x1_0030_0000)

    /// Records: one of 100 bytes, one of 20,000 from 144 on over the pages at 8192 and 16384, one of 50.
    static let craft: WALCraft = {
        var craft = WALCraft(start: start, segmentSize: Fixture.size)
        craft.filler(byteCount: 100)
        craft.filler(byteCount: 20_000)
        craft.filler(byteCount: 50)
        craft.filler(byteCount: 8192)
        return craft
    }()

    private static func little<T: FixedWidthInteger>(_ value: T) -> [UInt8] {
        var bytes: [UInt8] = []
        bytes.appendLittle(value)
        return bytes
    }

    private static func page(_ what: String, _ page: Int, _ field: Int, _ bytes: [UInt8], _ kind: ScanFault.Kind)
        -> Damage
    {
        Damage(
            testDescription: what,
            offset: page * 8192 + field,
            bytes: bytes,
            fault: ScanFault(kind, at: start.advanced(by: UInt64(page * 8192)))
        )
    }

    private static func record(_ what: String, _ index: Int, _ field: Int, _ bytes: [UInt8], _ kind: ScanFault.Kind)
        -> Damage
    {
        let place = craft.records[index].start
        return Damage(
            testDescription: what,
            offset: Int(place.bytes(since: start)) + field,
            bytes: bytes,
            fault: ScanFault(kind, at: place)
        )
    }

    static let rest = UInt32(20_000 - (8192 - 144))

    static let damages: [Damage] = [
        page("another major's page", 1, 0, little(UInt16(0xD118)), .badPageMagic(0xD118)),
        page("no page", 0, 0, little(UInt16(0xABCD)), .badPageMagic(0xABCD)),
        page("unknown flag", 1, 2, little(UInt16(0x11)), .badPageHeader),
        page("short header at a segment's start", 0, 2, little(UInt16(0)), .badPageHeader),
        page("long header inside of a segment", 1, 2, little(UInt16(3)), .badPageHeader),
        page("timeline 0", 1, 4, little(UInt32(0)), .badTimeline(TimelineID(0))),
        page("newer timeline", 1, 4, little(UInt32(3)), .badTimeline(TimelineID(3))),
        page("another page", 1, 8, little(UInt64(0x1_0030_4000)), .badPageAddress(LSN(0x1_0030_4000))),
        page("too much to come", 1, 16, little(rest + 1), .badContinuation(remaining: rest + 1)),
        page("nothing to come", 1, 16, little(UInt32(0)), .badContinuation(remaining: 0)),
        page("not continued", 1, 2, little(UInt16(0)), .badContinuation(remaining: rest)),
        page("zeros", 1, 0, [UInt8](repeating: 0, count: 24), .endOfWAL),
        page("another cluster", 0, 24, little(UInt64(1)), .badSystemIdentifier(1)),
        page("another segment size", 0, 32, little(UInt32(16 << 20)), .badSegmentSize(16 << 20)),
        page("another block size", 0, 36, little(UInt32(4096)), .badPageHeader),
        record("length 0", 2, 0, [UInt8](repeating: 0, count: 24), .endOfWAL),
        record("length 0 and more", 2, 0, little(UInt32(0)), .badRecordLength(0)),
        record("shorter than a header", 2, 0, little(UInt32(23)), .badRecordLength(23)),
        record("longer than any", 2, 0, little(UInt32(1 << 30) + 1), .badRecordLength((1 << 30) + 1)),
        record("length with all bits", 2, 0, little(UInt32.max), .badRecordLength(.max)),
        record("wrong length", 2, 0, little(UInt32(49)), .badCRC),
        record("link", 2, 8, little(UInt64(24)), .badPrevious(LSN(24))),
        record("link of the long record", 1, 8, little(UInt64(24)), .badPrevious(LSN(24))),
        record("link forward, before any record", 0, 8, little(UInt64.max), .badPrevious(LSN(.max))),
        record("resource manager", 2, 17, [22], .badResourceManager(22)),
        record("transaction", 2, 4, [0xFF], .badCRC),
        record("padding in the header", 2, 18, [1], .badCRC),
        record("checksum", 2, 20, [0, 0, 0, 0], .badCRC),
        record("body", 2, 40, [0xFF], .badCRC),
        record("body on its third page", 1, 18_000, [0xEE, 0xEF], .badCRC),
    ]

    @Test(arguments: damages)
    func isFound(damage: Damage) {
        var bytes = Self.craft.bytes
        bytes.replaceSubrange(damage.offset..<damage.offset + damage.bytes.count, with: damage.bytes)
        let fresh = SegmentScanner(
            startingAt: Self.start,
            segmentSize: Fixture.size,
            expectation: .init(
                systemIdentifier: Self.craft.systemIdentifier,
                timeline: TimelineID(2),
                major: .v15
            )
        )
        var whole = Scan(fresh)
        whole.feed(bytes)
        #expect(whole.scanner.fault == damage.fault)
        #expect(whole.scanner.position == damage.fault.position)
        let intact = Self.craft.records.filter { $0.end <= damage.fault.position }
        #expect(whole.seen.map(\.record) == intact)
        #expect(whole.scanner.recordEnd == intact.last?.end ?? Self.start)
        for chunk in [1, 9, 1000] {
            var parts = Scan(fresh)
            parts.feed(bytes) { _ in chunk }
            #expect(parts == whole, "in chunks of \(chunk)")
        }
        #expect(!damage.fault.description.isEmpty)
    }

    @Test func timelinesMayOnlyRise() {
        var craft = WALCraft(start: Self.start, segmentSize: Fixture.size)
        craft.filler(byteCount: 10_000)
        craft.timeline = TimelineID(3)
        craft.filler(byteCount: 10_000)
        craft.timeline = TimelineID(2)
        craft.filler(byteCount: 10_000)
        var scan = Scan(SegmentScanner(startingAt: Self.start, segmentSize: Fixture.size))
        scan.feed(craft.bytes)
        #expect(scan.scanner.fault?.kind == .badTimeline(TimelineID(2)))
        #expect(scan.seen.count == 2)
        #expect(scan.scanner.pageTimeline == TimelineID(3))
    }

    @Test func aRecordWhereThePageGoesOnWithAnotherIsRefused() {
        var bytes = Self.craft.bytes
        let records = Self.craft.records
        var start = SegmentScanner(startingAt: Self.start, segmentSize: Fixture.size)
        let end = Int(records[3].end.bytes(since: Self.start))
        // Behind the last record a page that claims to continue one.
        bytes += [UInt8](repeating: 0, count: (8192 - end % 8192) % 8192)
        var craft = WALCraft(start: Self.start, segmentSize: Fixture.size)
        craft.filler(byteCount: 8192 - 40)
        craft.filler(byteCount: 24)
        var forged = craft.bytes
        forged[8192 + 2] = 1
        forged[8192 + 16] = 24
        forged.withUnsafeBytes { start.consume($0) }
        #expect(start.fault == ScanFault(.badContinuation(remaining: 24), at: Self.start.advanced(by: 8192)))
    }

    @Test(arguments: [0x1_0030_0001, 0x1_0030_0008, 0x1_0030_0020, 0x1_0030_2008, 0x1_0030_2FFF, UInt64.max])
    func startsThatCannotBe(start: UInt64) {
        var scanner = SegmentScanner(startingAt: LSN(start), segmentSize: Fixture.size)
        #expect(scanner.fault == ScanFault(.badStart, at: LSN(start)))
        Self.craft.bytes.withUnsafeBytes { scanner.consume($0) }
        #expect(scanner.position == LSN(start))
    }

    @Test func theEndOfTheAddressSpaceIsNoTrap() {
        for start in [UInt64.max & ~7, UInt64.max & ~8191, UInt64.max & ~((1 << 20) - 1)] {
            for bytes in [Self.craft.bytes, [UInt8](repeating: 0xFF, count: 50_000)] {
                var scanner = SegmentScanner(startingAt: LSN(start), segmentSize: Fixture.size)
                bytes.withUnsafeBytes { scanner.consume($0) }
                #expect(scanner.fault != nil)
            }
        }
    }
}
