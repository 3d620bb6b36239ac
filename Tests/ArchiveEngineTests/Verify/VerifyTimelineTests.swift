import ArchiveEngine
import ArchiveModel
import ArchiveTesting
import Foundation
import Testing
import WALFormat
import WALStore

/// Archives of more than one timeline.
struct VerifyTimelineTests {
    /// A promotion in the middle of a segment, with the tail of the old timeline that nobody goes on with.
    private func forked(oldTail: UInt64 = 2, _ body: (CraftedArchive, CraftedArchive, LSN) throws -> Void) throws {
        try TestDirectory.with { directory in
            var old = try CraftedArchive("\(directory.path)/archive", seed: 3)
            old.grow(to: CraftedArchive.start.advanced(by: 3 << 20 | 400_000))
            let fork = old.craft.position
            var new = old
            old.grow(to: fork.advanced(by: oldTail << 20))
            new.craft.timeline = TimelineID(2)
            new.grow(to: fork.advanced(by: 3 << 20))
            try old.write(timeline: TimelineID(1))
            try new.write(from: new.size.number(of: fork), timeline: TimelineID(2))
            try new.put("1\t\(fork)\tno recovery target specified\n", "00000002.history")
            try body(old, new, fork)
        }
    }

    @Test(arguments: [UInt64(0), 1, 2])
    func promotionsHaveNoFindings(oldTail: UInt64) throws {
        try forked(oldTail: oldTail) { old, new, _ in
            let report = try new.verify()
            #expect(report.findings == [], "\(report.findings)")
            #expect(report.timelines.map(\.timeline) == [TimelineID(1), TimelineID(2)])
            #expect(report.timelines.map(\.to) == [old.craft.position, new.craft.position])
            try #expect(new.verify(deep: false).findings == [])
        }
    }

    @Test func aMissingHistory() throws {
        try forked { _, new, _ in
            try FileManager.default.removeItem(atPath: new.file("00000002.history"))
            let finding = try #require(new.verify().findings.first)
            #expect(finding.kind == .historyMissing)
            #expect(finding.file == "00000002.history")
            try new.put("nonsense\n", "00000002.history")
            try #expect(new.verify().findings.map(\.kind) == [.historyDamaged])
        }
    }

    @Test func historiesThatContradict() throws {
        try forked { _, new, fork in
            let third = LSN(fork.rawValue + 2 << 20)
            try new.put("1\t\(LSN(fork.rawValue - 4096))\tother\n2\t\(third)\tno\n", "00000003.history")
            // Without a segment nothing depends on it.
            try #expect(new.verify(deep: false).findings == [])
            let name = SegmentName(timeline: TimelineID(3), containing: third, size: new.size)
            try Data(new.content(new.size.number(of: third))).write(to: URL(fileURLWithPath: new.file(name)))
            let kinds = try new.verify(deep: false).findings.map(\.kind)
            #expect(kinds.contains(.historyConflict))
        }
    }

    /// The child's own copy of the fork's segment is what recovery reads.
    @Test func theForksSegmentIsMissing() throws {
        try forked { _, new, fork in
            let name = SegmentName(timeline: TimelineID(2), containing: fork, size: new.size)
            try FileManager.default.removeItem(atPath: new.file(name))
            let report = try new.verify()
            #expect(report.findings.map(\.segment) == [name.description])
            #expect(report.findings.map(\.kind) == [.missing])
        }
    }

    /// The new timeline needs segments of the old one that are missing; nothing else tells, as the old one has ended.
    @Test func theParentsLastSegmentsAreMissing() throws {
        try forked(oldTail: 0) { old, new, fork in
            let number = new.size.number(of: fork)
            for gone in [number - 1, number] {
                for suffix in ["", ".partial"] {
                    try? FileManager.default.removeItem(atPath: old.file("\(old.name(gone, TimelineID(1)))\(suffix)"))
                }
            }
            let report = try new.verify()
            #expect(report.findings.map(\.segment) == [old.name(number - 1, TimelineID(1)).description])
        }
    }

    @Test func aChildsSegmentBeforeItsFork() throws {
        try forked { old, new, fork in
            let number = new.size.number(of: fork) - 1
            let name = SegmentName(timeline: TimelineID(2), number: number, size: new.size)
            try Data(old.content(number)).write(to: URL(fileURLWithPath: new.file(name)))
            try #expect(new.verify(deep: false).findings.map(\.kind) == [.misplaced])
        }
    }

    /// Records run from the parent's last segment into the child's first.
    @Test func linksAreCheckedAcrossTheFork() throws {
        try forked { _, new, fork in
            var other = new
            other.random = SeededNumbers(seed: 99)
            other.craft = WALCraft(start: CraftedArchive.start, segmentSize: new.size, timeline: TimelineID(1))
            other.grow(to: fork)
            let number = new.size.number(of: fork) - 1
            try Data(other.content(number)).write(
                to: URL(fileURLWithPath: new.file(new.name(number, TimelineID(1))))
            )
            let kinds = try new.verify().findings.map(\.kind)
            #expect(!kinds.isEmpty && kinds.allSatisfy { $0 == .damaged }, "\(kinds)")
        }
    }
}
