import ArchiveEngine
import ArchiveModel
import ArchiveTesting
import Foundation
import Testing
import WALFormat
import WALStore

/// Each way in which an archive can be broken, and what is said of it.
struct VerifyDamageTests {
    @Test func aHealthyArchiveHasNoFindings() throws {
        try CraftedArchive.with { archive in
            for deep in [false, true] {
                let report = try archive.verify(deep: deep)
                #expect(report.findings == [], "\(report.findings)")
                #expect(report.notes == [])
            }
            let report = try archive.verify()
            #expect(report.timelines.map(\.from) == [archive.craft.start])
            #expect(report.timelines.map(\.to) == [archive.craft.position])
            // Some compressed, as cron leaves them.
            let directory = WALDirectory(archive.path, segmentSize: archive.size)
            for number in [archive.first, archive.first + 2] { try directory.compress(archive.name(number)) }
            try #expect(archive.verify().findings == [])
        }
    }

    private func only(_ report: VerifyReport) throws -> Finding {
        #expect(report.findings.count == 1, "\(report.findings.map(\.what))")
        return try #require(report.findings.first)
    }

    @Test func aFlippedBit() throws {
        try CraftedArchive.with { archive in
            let name = archive.name(archive.first + 2)
            let middle = CraftedArchive.start.advanced(by: 2 << 20 | 600_004)
            let record = try #require(archive.record(before: middle))
            try archive.change(name) { $0[600_003] ^= 0x20 }
            let finding = try only(archive.verify())
            #expect(finding.kind == .damaged)
            #expect(finding.segment == name.description)
            #expect(finding.file == name.description)
            #expect(finding.from == record.start)
            let to = try #require(finding.to)
            #expect(archive.craft.records.contains { $0.start == to })
            #expect(to > record.start && to.bytes(since: record.start) < 300_000)
            #expect(finding.costs.first?.lastBefore != nil && finding.costs.first?.firstAfter != nil)
            // Names and lengths say nothing of it.
            try #expect(archive.verify(deep: false).findings == [])
        }
    }

    @Test(arguments: [false, true])
    func aMissingSegment(deep: Bool) throws {
        try CraftedArchive.with { archive in
            let name = archive.name(archive.first + 2)
            try FileManager.default.removeItem(atPath: archive.file(name))
            let finding = try only(archive.verify(deep: deep))
            #expect(finding.kind == .missing)
            #expect(finding.segment == name.description && finding.through == name.description)
            // A record that began before it, and ends in it, is lost too; so is one that ends behind it.
            let begin = CraftedArchive.start.advanced(by: 2 << 20)
            let end = begin.advanced(by: 1 << 20)
            #expect(finding.from == archive.craft.records.first { $0.end > begin }?.start)
            #expect(finding.to == archive.craft.records.first { $0.start >= end }?.start)
        }
    }

    /// The quick look reads the first page of each segment, also of compressed ones, and says where it cannot.
    @Test(arguments: ["zstd", "gzip", "lz4"])
    func theFirstPageOfACompressedSegment(program: String) throws {
        try CraftedArchive.with { archive in
            let suffix = ["zstd": "zst", "gzip": "gz", "lz4": "lz4"][program] ?? ""
            let name = archive.name(archive.first + 2)
            try archive.change(name) { $0[24] ^= 1 }
            try TestCommand.asCaller(
                "/bin/sh",
                ["-c", "\(program) -q < '\(archive.file(name))' > '\(archive.file(name)).\(suffix)'"]
            )
            .succeed()
            try FileManager.default.removeItem(atPath: archive.file(name))
            let foreign = try only(archive.verify(deep: false))
            #expect(foreign.kind == .otherCluster, "\(foreign)")
            try archive.change("\(name).\(suffix)") { for offset in 0..<16 { $0[offset] ^= 0x55 } }
            let damaged = try only(archive.verify(deep: false))
            #expect(damaged.kind == .unreadable && damaged.file == "\(name).\(suffix)", "\(damaged)")
        }
    }

    @Test func missingSegmentsInARowAreOneFinding() throws {
        try CraftedArchive.with(segments: 8) { archive in
            for offset: UInt64 in 2...4 {
                try FileManager.default.removeItem(atPath: archive.file(archive.name(archive.first + offset)))
            }
            let finding = try only(archive.verify())
            #expect(finding.segments == 3)
            #expect(finding.segment == archive.name(archive.first + 2).description)
            #expect(finding.through == archive.name(archive.first + 4).description)
        }
    }

    @Test(arguments: [false, true])
    func aShortSegment(deep: Bool) throws {
        try CraftedArchive.with { archive in
            let name = archive.name(archive.first + 1)
            try archive.change(name) { $0.removeLast(300_000) }
            let finding = try only(archive.verify(deep: deep))
            #expect(finding.kind == .wrongSize)
            #expect(finding.segment == name.description)
            let end = CraftedArchive.start.advanced(by: 2 << 20 - 300_000)
            #expect(finding.from == archive.craft.records.first { $0.end > end }?.start)
        }
    }

    @Test(arguments: [false, true])
    func aShortCompressedSegment(deep: Bool) throws {
        try CraftedArchive.with { archive in
            let name = archive.name(archive.first + 1)
            try archive.change(name) { $0.removeLast(300_000) }
            _ = try TestCommand.asCaller("/usr/bin/zstd", ["-q", "--rm", archive.file(name)]).succeed()
            let finding = try only(archive.verify(deep: deep))
            #expect(finding.kind == .wrongSize)
            #expect(finding.file == "\(name).zst")
        }
    }

    @Test func aTruncatedCompressedSegment() throws {
        try CraftedArchive.with { archive in
            let name = archive.name(archive.first + 1)
            try WALDirectory(archive.path, segmentSize: archive.size).compress(name)
            try archive.change("\(name).zst") { $0.removeLast($0.count / 3) }
            let finding = try only(archive.verify())
            #expect(finding.kind == .unreadable)
            #expect(finding.file == "\(name).zst")
        }
    }

    @Test(arguments: [0, 8192, 77 * 8192])
    func aZeroPage(at offset: Int) throws {
        try CraftedArchive.with { archive in
            let name = archive.name(archive.first + 3)
            try archive.change(name) { $0.replaceSubrange(offset..<(offset + 8192), with: Data(count: 8192)) }
            let finding = try only(archive.verify())
            #expect(finding.kind == .damaged)
            #expect(finding.segment == name.description)
            let page = CraftedArchive.start.advanced(by: 3 << 20 | UInt64(offset))
            #expect(finding.from == archive.craft.records.first { $0.end > page }?.start)
            #expect(finding.what.contains("zeros"))
        }
    }

    @Test(arguments: [false, true])
    func aSegmentOfAnotherCluster(deep: Bool) throws {
        try CraftedArchive.with { archive in
            var other = WALCraft(start: archive.craft.start, segmentSize: archive.size, systemIdentifier: 7)
            while other.bytes.count < 4 << 20 { other.filler(byteCount: 3000) }
            let name = archive.name(archive.first + 2)
            try archive.change(name) { $0 = Data(other.bytes[(2 << 20)..<(3 << 20)]) }
            let finding = try only(archive.verify(deep: deep))
            #expect(finding.kind == .otherCluster)
            #expect(finding.segment == name.description)
            #expect(finding.what.contains("system identifier 7"))
        }
    }

    @Test(arguments: [false, true])
    func aSegmentOfAnotherTimeline(deep: Bool) throws {
        try CraftedArchive.with { archive in
            var other = archive
            other.craft = WALCraft(start: archive.craft.start, segmentSize: archive.size, timeline: TimelineID(2))
            other.grow(to: archive.craft.position)
            let name = archive.name(archive.first + 2)
            try archive.change(name) { $0 = Data(other.content(archive.first + 2)) }
            let finding = try only(archive.verify(deep: deep))
            #expect(finding.kind == .otherTimeline)
            #expect(finding.segment == name.description)
        }
    }

    @Test(arguments: [false, true])
    func aDuplicate(deep: Bool) throws {
        try CraftedArchive.with { archive in
            let name = archive.name(archive.first + 2)
            _ = try TestCommand.asCaller("/usr/bin/zstd", ["-q", archive.file(name)]).succeed()
            let equal = try archive.verify(deep: deep)
            #expect(equal.findings == [])
            #expect(equal.notes.map(\.file) == ["\(name).zst"])
            try archive.change(name) { $0[500_000] ^= 1 }
            let report = try archive.verify(deep: deep)
            let finding = try #require(report.findings.first { $0.kind == .differingDuplicate })
            #expect(finding.segment == name.description)
            #expect(finding.what.contains("\(name) and \(name).zst"))
        }
    }

    @Test func anotherSegmentUnderItsName() throws {
        try CraftedArchive.with { archive in
            let name = archive.name(archive.first + 2)
            try archive.change(name) { $0 = Data(archive.content(archive.first + 1)) }
            let finding = try only(archive.verify(deep: false))
            #expect(finding.kind == .damaged)
            #expect(finding.what.contains("says that it is page"))
        }
    }

    @Test func aPartialSegmentInside() throws {
        try CraftedArchive.with { archive in
            let name = archive.name(archive.first + 2)
            try archive.change(name) { $0.removeLast(500_000) }
            rename(archive.file(name), archive.file("\(name).partial"))
            let finding = try only(archive.verify(deep: false))
            #expect(finding.kind == .incomplete)
            #expect(finding.segment == name.description)
        }
    }

    /// While a record goes on for segments, they wait for their names.
    @Test func wholePartialSegmentsAtTheEndAreFine() throws {
        try CraftedArchive.with { archive in
            for offset: UInt64 in [4, 5] {
                let name = archive.name(archive.first + offset)
                rename(archive.file(name), archive.file("\(name).partial"))
            }
            try #expect(archive.verify().findings == [])
        }
    }

    @Test func namesThatAreNoneAreNotes() throws {
        try CraftedArchive.with { archive in
            for name in ["README", "000000010000000000001234", "\(archive.name(archive.first)).copy"] {
                _ = FileManager.default.createFile(atPath: archive.file(name), contents: Data())
            }
            let report = try archive.verify()
            #expect(report.findings == [])
            #expect(report.notes.count == 3)
        }
    }
}
