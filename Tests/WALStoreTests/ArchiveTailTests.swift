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

    /// A compressed partial segment becomes a plain one; killed in between, there are both for a while.
    @Test(arguments: ["durable.renamed", "partials.beforeRemove", "durable.removed"])
    func killedWhileItExpandsAPartialSegment(point: String) async throws {
        let craft = WALCraft(filledWith: 300_000)
        let directory = try TestDirectory()
        defer { directory.finish(failed: KeptEvidence.currentTestFailed) }
        let archive = try directory.subdirectory("wal")
        let plain = "\(archive)/\(name(16)).partial"
        let compressed = "\(archive)/\(name(16)).gz.partial"
        try SpoiltFile.write(Data(craft.bytes), to: plain)
        try TestCommand("/bin/sh", ["-c", "gzip -c '\(plain)' > '\(compressed)'; rm '\(plain)'"]).succeed()
        await #expect(processExitsWith: .exitCode(86)) { [archive = archive as String, point = point as String] in
            setenv("PGARCHIVE_FAULT", "\(point)=exit", 1)
            _ = try ArchiveTail.find(directory: archive, segmentSize: WALCraft.smallSegments)
        }
        let left = try files(archive).filter { !$0.hasPrefix(".") }
        #expect(left.contains("\(name(16)).partial"))
        #expect(left.count == (point == "durable.removed" ? 1 : 2))
        let found = try #require(try find(archive))
        #expect(found.recordEnd == craft.records.last?.end)
        #expect(try files(archive) == ["\(name(16)).partial"])
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

    /// As they were left before whole segments got their names at the start.
    @Test func wholeSegmentsBeforeTheLastCompleteOneAreNamed() throws {
        let craft = WALCraft(filledWith: 5 << 20)
        var damaged = craft.content(of: name(18))
        damaged[400_000] ^= 1
        for (third, isNamed) in [(craft.content(of: name(18)), true), (damaged, false)] {
            try with([
                "\(name(16))": craft.content(of: name(16)), "\(name(17)).partial": craft.content(of: name(17)),
                "\(name(18)).partial": third, "\(name(19))": craft.content(of: name(19)),
            ]) { archive in
                let found = try #require(try find(archive))
                #expect(found.resume == LSN(0x140_0000))
                let names = try files(archive)
                let expected = (17...18).map { "\(name($0))\(isNamed ? "" : ".partial")" }
                #expect(names == ["\(name(16))"] + expected + ["\(name(19))"])
            }
        }
    }

    /// What cannot be opened now is neither lost nor suspect.
    @Test func anErrorOfOpeningChangesNothing() throws {
        let craft = WALCraft(filledWith: 500_000)
        try with(["kept": craft.bytes]) { archive in
            let path = "\(archive)/\(name(16)).partial"
            // Leads to itself.
            try FileManager.default.createSymbolicLink(atPath: path, withDestinationPath: path)
            #expect(throws: (any Error).self) { try find(archive) }
            let names = try files(archive)
            #expect(names == ["\(name(16)).partial", "kept"])
        }
    }

    /// Short or full of zeros, though it has the name of a complete one: received from where it ends.
    @Test func aTornCompleteSegmentIsPartialAgain() throws {
        let craft = WALCraft(filledWith: 2 << 20)
        let whole = craft.content(of: name(17))
        let end = try #require(craft.records.last { $0.end <= LSN(0x114_93E0) }?.end)
        for torn in [Array(whole.prefix(300_000)), whole.prefix(300_000) + [UInt8](repeating: 0, count: 748_576)] {
            try with(["\(name(16))": craft.content(of: name(16)), "\(name(17))": torn]) { archive in
                let found = try #require(try find(archive))
                #expect(found.recordEnd == end)
                #expect(found.resume == end)
                #expect(found.torn == [name(17)])
                let names = try files(archive)
                #expect(names == ["\(name(16))", "\(name(17)).partial"])
            }
        }
        // Damaged within, but not torn: nothing is renamed, and the archive goes on behind it.
        var switched = WALCraft(filledWith: 300_000)
        switched.switchSegment()
        var damaged = switched.content(of: name(16))
        damaged[100_000] ^= 1
        try with(["\(name(16))": damaged]) { archive in
            let found = try #require(try find(archive))
            #expect(found.resume == LSN(0x110_0000))
            #expect(found.fault != nil)
            #expect(found.torn.isEmpty)
        }
        try with(["\(name(16))": craft.content(of: name(16)), "\(name(17))": []]) { archive in
            let found = try #require(try find(archive))
            #expect(found.recordEnd <= LSN(0x110_0000))
            #expect(found.resume == LSN(0x110_0000))
        }
    }

    @Test func aSwitchedSegmentsEmptyRestIsGoneOnWith() throws {
        var craft = WALCraft(filledWith: 100_000)
        craft.switchSegment()
        try with(["\(name(16)).partial": Array(craft.bytes.prefix(300_000))]) { archive in
            let found = try #require(try find(archive))
            let names = try files(archive)
            #expect(names == ["\(name(16)).partial"])
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

    /// The first segment of all was set aside while the next one was begun: nothing is known yet.
    @Test func whatFollowsTheFirstSuspectIsNoPosition() throws {
        let craft = WALCraft(filledWith: 2 << 20)
        try with([
            "\(name(16)).partial.suspect-1": craft.content(of: name(16)),
            "\(name(17)).partial": Array(craft.content(of: name(17)).prefix(50_000)),
        ]) { archive in
            let found = try #require(try find(archive))
            #expect(found.resume == LSN(0x100_0000))
            #expect(!found.isKnown)
        }
    }

    /// After a failed sync, of a process that was then killed, the page cache shows what the disk does not have.
    @Test func itIsReadFromTheDisk() throws {
        try TestFilesystem.Kind.xfs.orSkip()
        let craft = WALCraft(filledWith: 500_000)
        try TestDirectory.with { directory in
            try TestFilesystem.with(.xfs, in: directory, megabytes: 512) { disk in
                let path = "\(disk.path)/\(name(16)).partial"
                try Data(craft.bytes).write(to: URL(fileURLWithPath: path))
                let file = FileHandle(forUpdatingAtPath: path)
                try file?.synchronize()
                // Behind the filesystem's back, so that its cache still has what the disk lost.
                let page = craft.bytes[303_104..<311_296]
                let image = try #require(FileHandle(forUpdatingAtPath: "\(directory.path)/fs.img"))
                let place = try #require(try offset(of: Array(page), in: image))
                try image.seek(toOffset: place)
                image.write(Data(count: page.count))
                try image.synchronize()
                let found = try #require(try find(disk.path))
                let end = craft.records.last { $0.end <= craft.start.advanced(by: 303_104) }?.end
                #expect(found.recordEnd == end)
                try file?.close()
            }
        }
    }

    /// Where a page begins in the image of a filesystem.
    private func offset(of page: [UInt8], in image: FileHandle) throws -> UInt64? {
        let beginning = Data(page.prefix(4096))
        var start: UInt64 = 0
        try image.seek(toOffset: 0)
        while let part = try image.read(upToCount: 16 << 20), !part.isEmpty {
            for block in stride(from: 0, to: part.count - 4095, by: 4096)
            where part[part.startIndex + block + 8] == beginning[8] {
                let first = part.startIndex + block
                if part[first..<(first + 4096)] == beginning { return start + UInt64(block) }
            }
            start += UInt64(part.count)
        }
        return nil
    }

    /// Killed after the complete segment was found to be the same, before the partial one was removed.
    @Test func aPartialSegmentBesideTheSameCompleteOneIsRemoved() throws {
        let craft = WALCraft(filledWith: 3 << 20)
        var other = craft.content(of: name(17))
        other[400_000] ^= 1
        for (partial, isRemoved) in [(craft.content(of: name(17)), true), (other, false), ([1, 2, 3], false)] {
            try with([
                "\(name(16))": craft.content(of: name(16)), "\(name(17))": craft.content(of: name(17)),
                "\(name(17)).partial": partial, "\(name(18))": craft.content(of: name(18)),
            ]) { archive in
                let found = try #require(try find(archive))
                #expect(found.resume == LSN(0x130_0000))
                let names = try files(archive)
                let kept = isRemoved ? [] : ["\(name(17)).partial"]
                #expect(names == ["\(name(16))", "\(name(17))"] + kept + ["\(name(18))"])
            }
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

    /// WAL for the segment, from an offset in it on.
    private func block(_ bytes: [UInt8], at offset: UInt64) -> WALBlock {
        let block = WALBlock()
        block.begin(at: (name.start(size: size) ?? .invalid).advanced(by: offset))
        bytes.withUnsafeBytes { block.append($0, recordEnd: .invalid, releasable: .invalid) }
        return block
    }

    @Test func aTakenNameIsNeverOverwritten() throws {
        try TestDirectory.with { directory in
            let archive = try directory.subdirectory("wal")
            let other = Data(repeating: 1, count: 1 << 20)
            try other.write(to: URL(fileURLWithPath: "\(archive)/\(name)"))
            let writer = try SegmentWriter(directory: archive, name: name, size: size, offset: 0)
            try writer.write(block([UInt8](repeating: 2, count: 1 << 20), at: 0))
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
            try writer.write(block([UInt8](repeating: 2, count: 1 << 20), at: 0))
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
            let writer = try SegmentWriter(directory: archive, name: name, size: size, offset: 400)
            // Not before upstream sends it again.
            #expect(FileManager.default.contents(atPath: path)?.count == 1000)
            try writer.write(block([UInt8](repeating: 3, count: 5), at: 400))
            #expect(FileManager.default.contents(atPath: path)?.count == 405)
            #expect(throws: (any Error).self) {
                _ = try SegmentWriter(directory: archive, name: name, size: size, offset: 500)
            }
            let names = try FileManager.default.contentsOfDirectory(atPath: archive)
            #expect(names == ["\(name).partial"])
        }
    }

    @Test func theRestOfADamagedFileIsKept() throws {
        for (rest, isKept) in [([UInt8](repeating: 0, count: 600), false), ([0, 0, 7], true)] {
            try TestDirectory.with { directory in
                let archive = try directory.subdirectory("wal")
                let path = "\(archive)/\(name).partial"
                let before = Data([UInt8](repeating: 2, count: 400) + rest)
                try before.write(to: URL(fileURLWithPath: path))
                let writer = try SegmentWriter(
                    directory: archive,
                    name: name,
                    size: size,
                    offset: 400,
                    keepsRest: true
                )
                try writer.write(block([UInt8](repeating: 3, count: 5), at: 400))
                #expect(FileManager.default.contents(atPath: path)?.count == 405)
                #expect(FileManager.default.contents(atPath: "\(path).suspect-1") == (isKept ? before : nil))
            }
        }
    }

    @Test func aCompressedSegmentIsComparedToo() throws {
        let content = [UInt8](repeating: 2, count: 1 << 20)
        for (again, isSame) in [(content, true), (content.dropLast() + [9], false)] {
            try TestDirectory.with { directory in
                let archive = try directory.subdirectory("wal")
                try Data(content).write(to: URL(fileURLWithPath: "\(archive)/\(name)"))
                _ = try WALDirectory(archive, segmentSize: size).compress(name)
                let writer = try SegmentWriter(directory: archive, name: name, size: size, offset: 0)
                try writer.write(block(again, at: 0))
                if isSame { try writer.finish() } else { #expect(throws: StoreError.self) { try writer.finish() } }
                let names = try FileManager.default.contentsOfDirectory(atPath: archive).sorted()
                #expect(names == (isSame ? [] : ["\(name).partial.suspect-1"]) + ["\(name).zst"])
            }
        }
    }

    @Test func aDamagedCompressedSegmentIsNoHindrance() throws {
        try TestDirectory.with { directory in
            let archive = try directory.subdirectory("wal")
            try Data("no zstd".utf8).write(to: URL(fileURLWithPath: "\(archive)/\(name).zst"))
            let writer = try SegmentWriter(directory: archive, name: name, size: size, offset: 0)
            try writer.write(block([UInt8](repeating: 2, count: 1 << 20), at: 0))
            try writer.finish()
            #expect(FileManager.default.fileExists(atPath: "\(archive)/\(name)"))
        }
    }

    /// The rename was done, and only the sync of the directory had no room.
    @Test func aNameCanBeGivenTwice() throws {
        try TestDirectory.with { directory in
            let archive = try directory.subdirectory("wal")
            let writer = try SegmentWriter(directory: archive, name: name, size: size, offset: 0)
            try writer.write(block([UInt8](repeating: 2, count: 1 << 20), at: 0))
            let segment = try writer.full()
            try segment.finish()
            try segment.finish()
            try FileManager.default.moveItem(atPath: "\(archive)/\(name)", toPath: "\(archive)/elsewhere")
            #expect(throws: (any Error).self) { try segment.finish() }
        }
    }

    /// Acknowledged WAL may be nowhere else: the longest one stays, and there is no end of them otherwise.
    @Test(arguments: [true, false])
    func whatFailsAgainAndAgainLeavesTheLongest(isFull: Bool) throws {
        try TestDirectory.with { directory in
            let archive = try directory.subdirectory("wal")
            for count in [700, 500, 900, 100] {
                let writer = try SegmentWriter(directory: archive, name: name, size: size, offset: 0)
                try writer.write(block([UInt8](repeating: 2, count: count), at: 0))
                try SegmentWriter.setAside(directory: archive, name: name, isFull: isFull)
            }
            let names = try FileManager.default.contentsOfDirectory(atPath: archive).sorted()
            let partial = "\(name).partial"
            #expect(
                names
                    == (isFull ? ["\(partial).suspect-full"] : ["\(partial).suspect-1", "\(partial).suspect-longest"])
            )
            let bytes = names.map { FileManager.default.contents(atPath: "\(archive)/\($0)")?.count }
            #expect(bytes == (isFull ? [900] : [700, 900]))
        }
    }
}
