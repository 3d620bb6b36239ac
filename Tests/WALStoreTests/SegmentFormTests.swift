import ArchiveModel
import ArchiveTesting
import Foundation
import Platform
import Testing
import WALFormat
import WALStore

/// gzip and LZ4 beside zstd, as pg_receivewal writes them.
///
/// Contents are compared outside of the expectations, which
/// would look for minutes for the differences.
@Suite(.enabled(if: TestEnvironment.hasPostgres, TestEnvironment.noPostgres))
struct SegmentFormTests {
    struct Form: Sendable, CustomTestStringConvertible {
        let form: StoredSegment.Form
        let partial: StoredSegment.Form?
        /// Compresses standard input.
        let tool: String
        var testDescription: String { "\(form)" }
    }

    static let forms = [
        Form(form: .zstd, partial: nil, tool: "zstd -qc"),
        Form(form: .gzip, partial: .gzipPartial, tool: "gzip -c"),
        Form(form: .lz4, partial: .lz4Partial, tool: ""),
    ]

    private static func codec(_ form: StoredSegment.Form) throws -> SegmentCodec {
        try #require(SegmentCodec(form))
    }

    @Test(arguments: forms)
    func isFoundServedAndRemoved(form: Form) throws {
        try ArchiveCopy.with { copy in
            let name = copy.original.name(of: copy.original.records[2000].start)
            let original = try copy.original.bytes(of: name)
            let (before, after) = try copy.archive.compress(name, as: Self.codec(form.form))
            #expect(after < before)
            #expect(!FileTree.exists(copy.file("\(name)")))
            let stored = try #require(try copy.archive.locate(name))
            #expect(stored.form == form.form)
            let isOriginal = try copy.archive.bytes(of: stored).withBytes { Data($0) } == original
            #expect(isOriginal)
            #expect(copy.fetch(copy.request(name)).outcome == .served)
            let isFetchedRight = copy.fetched == original
            #expect(isFetchedRight)
            #expect(try copy.archive.list().segments.first { $0.name == name }?.form == form.form)
            // Once more is nothing to do, in whatever form.
            try copy.archive.compress(name)
            #expect(try copy.archive.locate(name) == stored)
            #expect(try copy.archive.remove(name) == after)
            #expect(try copy.archive.locate(name) == nil)
        }
    }

    @Test(arguments: forms)
    func aWalkReadsIt(form: Form) throws {
        try ArchiveCopy.with { copy in
            for segment in try copy.archive.list().segments {
                try copy.archive.compress(segment.name, as: Self.codec(form.form))
            }
            #expect(try copy.archive.list().segments.allSatisfy { $0.form == form.form })
            var count = 0
            _ = try WALWalk(copy.archive)
                .records(from: copy.original.start, along: TimelinePath(TimelineID(1))) { _, _, _, _ in
                    count += 1
                    return .proceed
                }
            #expect(count == copy.original.records.count)
        }
    }

    @Test(arguments: forms.filter { $0.form != .lz4 })
    func whatOthersCompressedInPiecesIsRead(form: Form) throws {
        try ArchiveCopy.with { copy in
            let name = copy.original.name(of: copy.original.records[2000].start)
            let bytes = try copy.original.bytes(of: name)
            let out = "\(copy.directory.path)/out"
            try SpoiltFile.write(bytes.prefix(300_000), to: "\(out).1")
            try SpoiltFile.write(bytes.dropFirst(300_000), to: "\(out).2")
            let file = copy.file("\(name)\(form.form.suffix)")
            try TestCommand("/bin/sh", ["-c", "(\(form.tool) '\(out).1'; \(form.tool) '\(out).2') > '\(file)'"])
                .succeed()
            try FileManager.default.removeItem(atPath: copy.file("\(name)"))
            let stored = try #require(try copy.archive.locate(name))
            let isOriginal = try copy.archive.bytes(of: stored).withBytes { Data($0) } == bytes
            #expect(isOriginal)
        }
    }

    @Test func gzipUnderstandsOurs() throws {
        try ArchiveCopy.with { copy in
            let name = copy.original.name(of: copy.original.records[2000].start)
            try copy.archive.compress(name, as: Self.codec(.gzip))
            let out = "\(copy.directory.path)/out"
            try TestCommand("/bin/sh", ["-c", "gzip -dc '\(copy.file("\(name).gz"))' > '\(out)'"]).succeed()
            let isOriginal = try FileManager.default.contents(atPath: out) == copy.original.bytes(of: name)
            #expect(isOriginal)
        }
    }

    /// Any damage is an error or the right content, and none takes long or much.
    @Test(arguments: forms)
    func damageIsSaid(form: Form) throws {
        try ArchiveCopy.with { copy in
            let name = copy.original.name(of: copy.original.records[2000].start)
            let original = try copy.original.bytes(of: name)
            try copy.archive.compress(name, as: Self.codec(form.form))
            let stored = try #require(try copy.archive.locate(name))
            let file = copy.file(stored.fileName)
            let whole = try #require(FileManager.default.contents(atPath: file))
            for spoilt in [whole.prefix(whole.count / 2), whole.prefix(3), Data(), Data(repeating: 0x7f, count: 9000)] {
                try SpoiltFile.write(spoilt, to: file)
                #expect(throws: StoreError.self) { _ = try copy.archive.bytes(of: stored) }
                #expect(copy.fetch(copy.request(name)).outcome.exitStatus == FetchOutcome.abortStatus)
            }
            var random = SeededGenerator(seed: 150)
            for round in 0..<150 {
                var flipped = whole
                // Headers have the most ways to lie.
                let index = Int.random(in: 0..<(round % 3 == 0 ? 20 : whole.count), using: &random)
                switch round % 5 {
                case 0: flipped[index] = UInt8.random(in: 0...255, using: &random)
                case 1: flipped.removeSubrange(index..<min(index + 7, whole.count))
                case 2: flipped.insert(contentsOf: whole[index..<min(index + 7, whole.count)], at: index)
                default: flipped[index] ^= UInt8(1) << UInt8.random(in: 0..<8, using: &random)
                }
                try SpoiltFile.write(flipped, to: file)
                guard let bytes = try? copy.archive.bytes(of: stored) else { continue }
                // A header's date, say.
                let isOriginal = bytes.withBytes { Data($0) } == original
                #expect(isOriginal, "byte \(index) of \(whole.count)")
            }
        }
    }

    /// A gigabyte of zeros in a few kB.
    @Test(arguments: forms.filter { $0.form != .lz4 })
    func moreThanASegmentIsAnError(form: Form) throws {
        try ArchiveCopy.with { copy in
            let name = copy.original.name(of: copy.original.records[2000].start)
            let file = copy.file("\(name)\(form.form.suffix)")
            let command = "head -c 300000000 /dev/zero | \(form.tool) > '\(file)'"
            try TestCommand("/bin/sh", ["-c", command]).succeed()
            try FileManager.default.removeItem(atPath: copy.file("\(name)"))
            let reader = try #require(try copy.archive.open(name))
            var total = 0
            let buffer = UnsafeMutableRawBufferPointer.allocate(byteCount: 1 << 16, alignment: 16)
            defer { buffer.deallocate() }
            #expect(throws: StoreError.self) {
                while total < 300_000_000 { total += try reader.read(into: buffer) }
            }
            #expect(total <= Int(copy.original.size.bytes))
        }
    }

    /// A gigabyte in more frames than a segment has.
    @Test(arguments: forms)
    func moreFramesThanASegmentAreAnError(form: Form) throws {
        try ArchiveCopy.with { copy in
            let name = copy.original.name(of: copy.original.records[2000].start)
            try copy.archive.compress(name, as: Self.codec(form.form))
            let stored = try #require(try copy.archive.locate(name))
            let file = copy.file(stored.fileName)
            let frame = try #require(FileManager.default.contents(atPath: file))
            try SpoiltFile.write(Data((0..<40).map { _ in frame }.joined()), to: file)
            #expect(throws: StoreError.self) { _ = try copy.archive.bytes(of: stored) }
        }
    }

    /// Headers that ask for gigabytes before the first byte, and files that are nothing but headers.
    @Test(
        arguments: [
            // zstd: a window of 2 GB, and of an exabyte; a skippable frame of 4 GB; a dictionary that is nowhere.
            (".zst", [0x28, 0xB5, 0x2F, 0xFD, 0x00, 0xA8, 0x01, 0x00, 0x00]),
            (".zst", [0x28, 0xB5, 0x2F, 0xFD, 0xE0, 0, 0, 0, 0, 0, 0, 0, 0x10, 0x01, 0x00, 0x00]),
            (".zst", [0x50, 0x2A, 0x4D, 0x18, 0xFF, 0xFF, 0xFF, 0xFF]),
            (".zst", [0x28, 0xB5, 0x2F, 0xFD, 0x23, 0xFF, 0xFF, 0xFF, 0x7F, 0x00, 0x01, 0x00, 0x00]),
            // gzip: an extra field, a name and a comment without an end.
            (".gz", [0x1F, 0x8B, 8, 0x04, 0, 0, 0, 0, 0, 3, 0xFF, 0xFF]),
            (".gz", [0x1F, 0x8B, 8, 0x18, 0, 0, 0, 0, 0, 3, 0x41, 0x41]),
            // LZ4: an exabyte of content, a skippable frame of 4 GB, the old format.
            (".lz4", [0x04, 0x22, 0x4D, 0x18, 0x68, 0x70, 0, 0, 0, 0, 0, 0, 0, 0x10, 0x00]),
            (".lz4", [0x50, 0x2A, 0x4D, 0x18, 0xFF, 0xFF, 0xFF, 0xFF]),
            (".lz4", [0x02, 0x21, 0x4C, 0x18, 0xFF, 0xFF, 0xFF, 0xFF]),
        ] as [(String, [UInt8])]
    )
    func hostileHeaders(suffix: String, header: [UInt8]) throws {
        try ArchiveCopy.with { copy in
            let name = copy.original.name(of: copy.original.records[2000].start)
            try FileManager.default.removeItem(atPath: copy.file("\(name)"))
            for tail in [Data(), Data(count: 100_000), Data(repeating: 0xFF, count: 100_000)] {
                try SpoiltFile.write(Data(header) + tail, to: copy.file("\(name)\(suffix)"))
                let stored = try #require(try copy.archive.locate(name))
                #expect(throws: StoreError.self) { _ = try copy.archive.bytes(of: stored) }
            }
        }
    }

    /// What pg_receivewal had written when it was killed.
    @Test(arguments: forms.filter { $0.partial != nil })
    func aCutPartialSegmentIsReadAsFarAsItGoes(form: Form) throws {
        try ArchiveCopy.with { copy in
            let partial = try #require(form.partial)
            let name = copy.original.name(of: copy.original.records[2000].start)
            let original = try copy.original.bytes(of: name)
            try copy.archive.compress(name, as: Self.codec(form.form))
            let whole = try #require(FileManager.default.contents(atPath: copy.file("\(name)\(form.form.suffix)")))
            try copy.archive.remove(name)
            let file = copy.file("\(name)\(partial.suffix)")
            var longest = 0
            for part in [0, 1, 5, 20, whole.count / 3, whole.count / 2, whole.count - 1, whole.count] {
                for tail in [Data(), Data(count: 4096), Data("rubbish".utf8)] {
                    try SpoiltFile.write(whole.prefix(part) + tail, to: file)
                    let stored = try #require(try copy.archive.locate(name))
                    #expect(stored.form == partial)
                    let bytes = try copy.archive.bytes(of: stored).withBytes { Data($0) }
                    #expect(bytes.count <= original.count)
                    // What a crash leaves behind the cut may well decompress to something: records have their CRC.
                    guard tail.isEmpty else { continue }
                    #expect(original.starts(with: bytes))
                    longest = max(longest, bytes.count)
                }
            }
            #expect(longest == original.count)
            #expect(try copy.archive.open(name, completeOnly: true) == nil)
        }
    }
}
