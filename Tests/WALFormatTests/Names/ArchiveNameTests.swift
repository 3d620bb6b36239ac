import ArchiveTesting
import Testing
import WALFormat

@Suite struct ArchiveNameTests {
    static let sizes = [1, 2, 16, 64, 1024].compactMap { SegmentSize(bytes: $0 << 20) }

    @Test(arguments: sizes)
    func segmentNamesComeBack(size: SegmentSize) throws {
        var random = SeededGenerator(seed: size.bytes)
        for _ in 0..<2000 {
            let position = LSN(
                UInt64.random(in: 0...UInt64.max, using: &random) >> UInt64.random(in: 0...40, using: &random)
            )
            let timeline = TimelineID(UInt32.random(in: 1...UInt32.max, using: &random))
            let name = SegmentName(timeline: timeline, containing: position, size: size)
            #expect(SegmentName(name.description) == name)
            #expect(name.start(size: size) == size.segmentStart(of: position))
            #expect(name.number(size: size) == size.number(of: position))
            #expect(size.start(of: size.number(of: position)) == size.segmentStart(of: position))
            #expect(size.offset(of: position) < size.bytes)
            for file: ArchiveFileName in [
                .segment(name), .partialSegment(name), .compressedSegment(name, .zstd), .compressedSegment(name, .gzip),
                .compressedSegment(name, .lz4), .compressedPartialSegment(name, .gzipPartial),
                .compressedPartialSegment(name, .lz4Partial), .history(timeline),
                .backupHistory(name, offset: UInt32(truncatingIfNeeded: position.rawValue)),
            ] {
                #expect(ArchiveFileName(file.description) == file)
            }
        }
    }

    /// As PostgreSQL names them.
    @Test(arguments: [
        ("000000010000000000000001", 16, "0/1000000"),
        ("0000000A0000001200000034", 16, "12/34000000"),
        ("000000010000000100000000", 16, "1/0"),
        ("00000001000000000000000F", 1, "0/F00000"),
        ("0000000100000000000000FF", 16, "0/FF000000"),
        ("000000010000000000000003", 1024, "0/C0000000"),
    ])
    func knownNames(name: String, megabytes: UInt64, start: String) throws {
        let size = try #require(SegmentSize(bytes: megabytes << 20))
        let parsed = try #require(SegmentName(name))
        #expect(parsed.start(size: size) == LSN(start))
        #expect(SegmentName(timeline: parsed.timeline, containing: try #require(LSN(start)), size: size) == parsed)
    }

    @Test func aNameBeyondTheSegmentSizeHasNoPlace() throws {
        let name = try #require(SegmentName("000000010000000000000100"))
        let standard = SegmentSize.standard
        #expect(name.start(size: standard) == nil)
        #expect(name.start(size: Fixture.size) == LSN(0x1000_0000))
    }

    @Test(arguments: [
        "", "0", "00000001000000000000000", "0000000100000000000000011", "00000001000000000000000g",
        "00000001000000000000000a", "000000000000000000000001", "../000000010000000000000001",
        "000000010000000000000001.PARTIAL", "000000010000000000000001.partial.partial", "00000001000000000000000 ",
        "000000010000000000000001.zst.partial", "000000010000000000000001.bz2", "00000001.History", "0000000a.history",
        "00000000.history", "1.history", "000000010000000000000001.0000002.backup",
        "000000010000000000000001/00000028.backup",
        "000000010000000000000001.0000002a.backup", "000000010000000000000001\0", "00000001000000000000000１",
        "000000010000000000000001.partial\n", "é00000010000000000000001", "000000010000000000000001.partial.suspect-1",
    ])
    func otherNamesAreRefused(text: String) {
        #expect(ArchiveFileName(text) == nil)
    }

    @Test func positionsComeBack() {
        var random = SeededGenerator(seed: 11)
        for _ in 0..<5000 {
            let position = LSN(
                UInt64.random(in: 0...UInt64.max, using: &random) >> UInt64.random(in: 0...63, using: &random)
            )
            #expect(LSN(position.description) == position)
            #expect(LSN(position.description.lowercased()) == position)
        }
        #expect(LSN("0/16B3748") == LSN(0x16B_3748))
        #expect(LSN("16/B374D848")?.description == "16/B374D848")
        #expect(LSN("00000016/0B374D84") == LSN(0x16_0B37_4D84))
    }

    @Test(arguments: [
        "", "/", "0", "0/", "/0", "0/0/0", "0/123456789", "123456789/0", "g/0", "0/ 1", "-1/0", "+1/0", "0x1/0",
    ])
    func otherPositionsAreRefused(text: String) {
        #expect(LSN(text) == nil)
    }

    @Test func positionsDoNotOverflow() {
        let last = LSN(.max)
        #expect(last.advanced(by: 1) == last)
        #expect(LSN(5).bytes(since: last) == 0)
        for size in Self.sizes {
            #expect(size.segmentEnd(of: last) == last)
            #expect(size.start(of: .max) == size.segmentStart(of: last))
        }
    }

    @Test(arguments: [0, 1, 1 << 19, (1 << 20) + 1, 3 << 20, 1 << 31, .max] as [UInt64])
    func otherSegmentSizesAreRefused(bytes: UInt64) {
        #expect(SegmentSize(bytes: bytes) == nil)
    }

    @Test func magicsAreTheMajors() {
        for major in PostgresMajor.allCases {
            #expect(PostgresMajor(pageMagic: major.pageMagic) == major)
        }
        #expect(PostgresMajor(pageMagic: 0xD10D) == nil)
        #expect(PostgresMajor(pageMagic: 0) == nil)
    }
}
