import ArchiveTesting
import Foundation
import Testing
import WALFormat
import WALStore

/// Where an archive ends before a segment that is missing, and what is here twice.
struct ArchiveHoleTests {
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

    /// What comes before a segment that is missing, whatever is here behind it.
    @Test func theEndBeforeAHole() throws {
        let craft = WALCraft(filledWith: 5 << 20)
        func whole(_ number: Int) -> [UInt8] { craft.content(of: name(number)) }
        let part = Array(whole(17).prefix(300_000))
        let partEnd = craft.records.last { $0.end <= LSN(0x110_0000 + 300_000) }?.end ?? .invalid
        let firstEnd = craft.records.last { $0.end <= LSN(0x110_0000) }?.end ?? .invalid
        let behind = ["\(name(19))": whole(19), "\(name(20))": whole(20)]
        let first = ["\(name(16))": whole(16)]
        let second = ["\(name(17)).partial": part]
        for (files, known, end, resume) in [
            (first, true, firstEnd, LSN(0x110_0000)), (first.merging(second) { $1 }, true, partEnd, partEnd),
            (second, true, partEnd, partEnd), ([:], false, LSN(0x110_0000), LSN(0x110_0000)),
        ] {
            try with(files.merging(behind) { $1 }) { archive in
                let all = try #require(try find(archive))
                #expect(all.resume == LSN(0x150_0000))
                #expect(all.completeEnd == LSN(0x150_0000))
                #expect(all.firstHole == (files.isEmpty ? nil : LSN(0x110_0000)))
                let found = try ArchiveTail.find(directory: archive, segmentSize: size, hole: name(17))
                #expect(found?.isKnown == known)
                #expect(found?.recordEnd == end)
                #expect(found?.resume == resume)
            }
        }
    }

    /// A beginning of what is here completely, which another delivery overtook.
    @Test func aPartialSegmentBesideItsCompleteOneGoesWhereItHoldsNothingElse() throws {
        let craft = WALCraft(filledWith: 2 << 20)
        let whole = craft.content(of: name(16))
        let zeros = [UInt8](repeating: 0, count: 100_000)
        for (partial, goes) in [
            (Array(whole.prefix(0)), true), (Array(whole.prefix(700_000)), true), (whole, true),
            (Array(whole.prefix(700_000)) + zeros, true), (Array(whole.prefix(700_000)) + [1], false),
            (whole + [0], false),
        ] {
            try with(["\(name(16))": whole, "\(name(16)).partial": partial]) { archive in
                _ = try find(archive)
                #expect(try files(archive) == (goes ? ["\(name(16))"] : ["\(name(16))", "\(name(16)).partial"]))
            }
        }
    }
}
