import ArchiveTesting
import Foundation
import Testing
import WALFormat
import WALStore

/// Where an archive ends, by its files.
struct ArchiveTailTests {
    private let size = WALCraft.smallSegments

    private func with(_ files: [String: [UInt8]], _ body: (String) throws -> Void) throws {
        try TestDirectory.with { directory in
            let archive = try directory.subdirectory("wal")
            for (name, bytes) in files { try Data(bytes).write(to: URL(fileURLWithPath: "\(archive)/\(name)")) }
            try body(archive)
        }
    }

    private func find(_ archive: String) throws -> ArchiveTail? {
        try ArchiveTail.find(directory: archive, segmentSize: size)
    }

    private func files(_ archive: String) throws -> [String] {
        try FileManager.default.contentsOfDirectory(atPath: archive).sorted()
    }

    private func name(_ number: Int, timeline: UInt32 = 1) -> SegmentName {
        SegmentName(timeline: TimelineID(timeline), number: UInt64(number), size: size)
    }

    @Test func anEmptyArchiveHasNone() throws {
        try with([:]) { archive in
            let found = try find(archive)
            #expect(found == nil)
        }
        try with(["00000002.history": Array("1\t0/1000000\tx\n".utf8), "notes": []]) { archive in
            let found = try find(archive)
            #expect(found == nil)
        }
    }

    @Test func aPartialSegmentEndsAtItsLastWholeRecord() throws {
        let craft = WALCraft(filledWith: 500_000)
        for cut in [100, 8192, 8193, 200_000, 300_007, craft.bytes.count] {
            let kept = Array(craft.bytes.prefix(cut))
            let end = craft.records.last { $0.end <= craft.start.advanced(by: UInt64(cut)) }?.end
            for tail in [[], [UInt8](repeating: 0, count: 20_000), [UInt8](repeating: 7, count: 20_000)] {
                try with(["\(name(16)).partial": kept + tail]) { archive in
                    let found = try #require(try find(archive))
                    #expect(found.recordEnd == end ?? craft.start)
                    #expect(found.isKnown == (end != nil))
                    #expect(found.resume == found.recordEnd)
                    #expect(found.request <= found.resume && found.resume.bytes(since: found.request) <= 8192)
                    #expect(found.scanner.position == found.resume)
                }
            }
        }
    }

    @Test func aRecordIsCarriedOverFromTheCompleteSegment() throws {
        var craft = WALCraft(filledWith: 1_048_000)
        craft.filler(byteCount: 30_000)
        craft.fill(byteCount: 100_000)
        // As another program stores it: the first segment complete although a record goes on beyond it.
        let first = craft.content(of: name(16))
        for second in [[], Array(craft.content(of: name(17)).prefix(12_000))] {
            try with(["\(name(16))": first, "\(name(17)).partial": second]) { archive in
                let found = try #require(try find(archive))
                #expect(found.resume == LSN(0x110_0000))
                #expect(found.recordEnd < found.resume)
                #expect(found.scanner.openRecordStart == found.recordEnd)
                var scanner = found.scanner
                craft.bytes(from: found.resume).withUnsafeBytes { scanner.consume($0) }
                #expect(scanner.fault == nil)
                #expect(scanner.recordEnd == craft.position)
            }
        }
    }

    /// Killed before the rename: the segment gets its name now.
    @Test func wholePartialSegmentsAreNamed() throws {
        let craft = WALCraft(filledWith: 3 << 20)
        let end = try #require(craft.records.last { $0.end <= LSN(0x12_8_0000) }?.end)
        try with([
            "\(name(16)).partial": craft.content(of: name(16)), "\(name(17)).partial": craft.content(of: name(17)),
            "\(name(18)).partial": Array(craft.content(of: name(18)).prefix(0x8_0000)),
        ]) { archive in
            let found = try #require(try find(archive))
            #expect(found.recordEnd == end)
            let names = try files(archive)
            #expect(names == ["\(name(16))", "\(name(17))", "\(name(18)).partial"])
        }
    }

    /// A whole segment whose last record is still open keeps its partial name.
    @Test func anOpenRecordHoldsTheNameBack() throws {
        var craft = WALCraft(filledWith: 1_000_000)
        craft.filler(byteCount: 300_000)
        try with([
            "\(name(16)).partial": craft.content(of: name(16)),
            "\(name(17)).partial": Array(craft.content(of: name(17)).prefix(50_000)),
        ]) { archive in
            let found = try #require(try find(archive))
            #expect(found.recordEnd == craft.records.dropLast().last?.end)
            let names = try files(archive)
            #expect(names == ["\(name(16)).partial", "\(name(17)).partial"])
        }
    }

    @Test func aSwitchedSegmentsEmptyRestIsGoneOnWith() throws {
        var craft = WALCraft(filledWith: 100_000)
        craft.switchSegment()
        try with(["\(name(16)).partial": Array(craft.bytes.prefix(300_000))]) { archive in
            let found = try #require(try find(archive))
            var scanner = found.scanner
            craft.bytes(from: found.resume).withUnsafeBytes { scanner.consume($0) }
            #expect(scanner.fault == nil)
            #expect(scanner.recordEnd == LSN(0x110_0000))
        }
    }

    @Test func theNewestTimelineCounts() throws {
        let craft = WALCraft(filledWith: 2 << 20)
        try with([
            "\(name(16))": craft.content(of: name(16)), "\(name(17))": craft.content(of: name(17)),
            "\(name(16, timeline: 3)).partial": Array(craft.bytes.prefix(50_000)),
        ]) { archive in
            let found = try #require(try find(archive))
            #expect(found.timeline == TimelineID(3))
            #expect(found.recordEnd < LSN(0x101_0000))
        }
    }

    /// A partial segment behind a gap is nothing that was acknowledged.
    @Test func whatFollowsAGapIsNoPosition() throws {
        let craft = WALCraft(filledWith: 4 << 20)
        try with([
            "\(name(16))": craft.content(of: name(16)),
            "\(name(18)).partial": Array(craft.content(of: name(18)).prefix(5000)),
        ]) { archive in
            let found = try #require(try find(archive))
            #expect(found.resume == LSN(0x110_0000))
        }
    }

    @Test func suspectFilesAreNotRead() throws {
        let craft = WALCraft(filledWith: 500_000)
        try with([
            "\(name(16)).partial.suspect-1": craft.bytes, "\(name(16)).partial": Array(craft.bytes.prefix(50_000)),
        ]) { archive in
            let found = try #require(try find(archive))
            #expect(found.recordEnd <= LSN(0x100_C350))
        }
    }
}

struct SegmentWriterTests {
    private let size = WALCraft.smallSegments
    private let name = SegmentName(timeline: TimelineID(1), number: 16, size: WALCraft.smallSegments)

    @Test func aTakenNameIsNeverOverwritten() throws {
        try TestDirectory.with { directory in
            let archive = try directory.subdirectory("wal")
            let other = Data(repeating: 1, count: 1 << 20)
            try other.write(to: URL(fileURLWithPath: "\(archive)/\(name)"))
            let writer = try SegmentWriter(directory: archive, name: name, size: size, offset: 0)
            try [UInt8](repeating: 2, count: 1 << 20).withUnsafeBytes { try writer.write($0, at: 0) }
            #expect(throws: StoreError.self) { try writer.finish() }
            #expect(FileManager.default.contents(atPath: "\(archive)/\(name)") == other)
            #expect(FileManager.default.fileExists(atPath: "\(archive)/\(name).partial.suspect-1"))
        }
    }

    @Test func theSameContentIsSuccess() throws {
        try TestDirectory.with { directory in
            let archive = try directory.subdirectory("wal")
            try Data(repeating: 2, count: 1 << 20).write(to: URL(fileURLWithPath: "\(archive)/\(name)"))
            let writer = try SegmentWriter(directory: archive, name: name, size: size, offset: 0)
            try [UInt8](repeating: 2, count: 1 << 20).withUnsafeBytes { try writer.write($0, at: 0) }
            try writer.finish()
            let names = try FileManager.default.contentsOfDirectory(atPath: archive)
            #expect(names == ["\(name)"])
        }
    }

    @Test func goingOnDropsWhatFollows() throws {
        try TestDirectory.with { directory in
            let archive = try directory.subdirectory("wal")
            let path = "\(archive)/\(name).partial"
            try Data(repeating: 2, count: 1000).write(to: URL(fileURLWithPath: path))
            _ = try SegmentWriter(directory: archive, name: name, size: size, offset: 400)
            #expect(FileManager.default.contents(atPath: path)?.count == 400)
            #expect(throws: (any Error).self) {
                _ = try SegmentWriter(directory: archive, name: name, size: size, offset: 500)
            }
        }
    }
}
