import ArchiveEngine
import ArchiveModel
import ArchiveTesting
import Foundation
import Glibc
import Platform
import PostgresLink
import Testing
import WALFormat
import WALStore

/// Bad and missing segments are fetched again, checked, and put in place in one step.
struct RepairTests {
    private func repair(_ archive: CraftedArchive, _ upstream: FakeUpstream) throws -> Repair.Outcome {
        try Repair(
            try Verification(directory: archive.path),
            connection: try ConnectionString(upstream.connection)
        ).run(deep: true, progress: .silent).outcome
    }

    private func bytes(_ archive: CraftedArchive, _ file: some CustomStringConvertible) -> Data? {
        FileManager.default.contents(atPath: archive.file(file))
    }

    /// A flipped bit, a hole of two, a short segment, one that was compressed and cut.
    private func damage(_ archive: CraftedArchive) throws -> [SegmentName] {
        let names = [1, 3, 4, 6, 8].map { archive.name(archive.first + $0) }
        try archive.change(names[0]) { $0[600_000] ^= 4 }
        for name in names[1...2] { try FileManager.default.removeItem(atPath: archive.file(name)) }
        try archive.change(names[3]) { $0.removeLast(9999) }
        try WALDirectory(archive.path, segmentSize: archive.size).compress(names[4])
        try archive.change("\(names[4]).zst") { $0.removeLast(100) }
        return names
    }

    @Test func everythingComesBack() throws {
        try CraftedArchive.with(segments: 10) { archive in
            let names = try damage(archive)
            let upstream = try FakeUpstream(archive.craft)
            defer { upstream.close() }
            let outcome = try repair(archive, upstream)
            #expect(outcome.after.findings == [], "\(outcome.results)")
            #expect(outcome.results.filter { $0.done == "fetched" }.map(\.name) == names.map(\.description))
            for name in names {
                #expect(bytes(archive, name) == Data(archive.content(name.number(size: archive.size) ?? 0)))
            }
            #expect(!FileManager.default.fileExists(atPath: archive.file("\(names[4]).zst")))
            let kept = try FileManager.default.contentsOfDirectory(atPath: archive.file("quarantine"))
                .filter { !$0.hasPrefix(".") }.sorted()
            #expect(kept == ["\(names[0]).1", "\(names[3]).1", "\(names[4]).zst.1"])
            #expect(bytes(archive, "quarantine/\(names[3]).1")?.count == 1 << 20 - 9999)
            // The slot is never named, and nothing is reported as flushed.
            #expect(upstream.commands.filter { $0.hasPrefix("START_REPLICATION") }.allSatisfy { !$0.contains("SLOT") })
            #expect(upstream.replies.allSatisfy { $0.flushed == .invalid })
            // A second time there is nothing to do.
            let connections = upstream.connections
            try #expect(repair(archive, upstream).results.isEmpty)
            #expect(upstream.connections == connections)
        }
    }

    /// The receiver would lose the file under its hands.
    @Test func aPartialSegmentIsLeftToTheReceiverThatIsAtWork() throws {
        try CraftedArchive.with(segments: 6) { archive in
            let name = archive.name(archive.first + 2)
            let whole = try #require(bytes(archive, name))
            try FileManager.default.removeItem(atPath: archive.file(name))
            try whole.prefix(300_000).write(to: URL(fileURLWithPath: archive.file("\(name).partial")))
            let upstream = try FakeUpstream(archive.craft)
            defer { upstream.close() }
            do {
                let directory = try Descriptor.open(archive.path, O_RDONLY | O_DIRECTORY)
                #expect(flock(directory.raw, LOCK_EX | LOCK_NB) == 0)
                let outcome = try repair(archive, upstream)
                #expect(outcome.results.map(\.done) == ["left"], "\(outcome.results)")
                #expect(bytes(archive, "\(name).partial") == whole.prefix(300_000))
                try directory.close()
            }
            let outcome = try repair(archive, upstream)
            #expect(outcome.results.map(\.done) == ["fetched"], "\(outcome.results)")
            #expect(bytes(archive, name) == whole)
        }
    }

    @Test func whatTheUpstreamHasNotStaysAsItIs() throws {
        try CraftedArchive.with(segments: 10) { archive in
            let names = try damage(archive)
            let before = bytes(archive, names[0])
            let upstream = try FakeUpstream(archive.craft) { session in
                try session.error("58P01", "requested WAL segment has already been removed", fatal: true)
            }
            defer { upstream.close() }
            let outcome = try repair(archive, upstream)
            #expect(outcome.results.allSatisfy { $0.done == "left" }, "\(outcome.results)")
            #expect(outcome.results.contains { $0.reason?.contains("removed") == true }, "\(outcome.results)")
            #expect(outcome.after.findings.count == 4)
            #expect(bytes(archive, names[0]) == before)
            #expect(!FileManager.default.fileExists(atPath: archive.file("quarantine/\(names[0]).1")))
        }
    }

    /// What comes is checked: another history of the same cluster does not go in.
    @Test func otherWALIsNotTaken() throws {
        try CraftedArchive.with(segments: 6) { archive in
            let name = archive.name(archive.first + 2)
            try FileManager.default.removeItem(atPath: archive.file(name))
            var other = archive
            other.random = SeededNumbers(seed: 4711)
            other.craft = WALCraft(start: archive.craft.start, segmentSize: archive.size)
            other.grow(to: archive.craft.position)
            let upstream = try FakeUpstream(other.craft)
            defer { upstream.close() }
            let outcome = try repair(archive, upstream)
            #expect(outcome.results.map(\.done) == ["left"])
            #expect(!FileManager.default.fileExists(atPath: archive.file(name)))
            #expect(outcome.after.findings.map(\.kind) == [.missing])
        }
    }

    @Test func anotherClusterIsRefused() throws {
        try CraftedArchive.with(segments: 6) { archive in
            try FileManager.default.removeItem(atPath: archive.file(archive.name(archive.first + 2)))
            let upstream = try FakeUpstream(archive.craft)
            defer { upstream.close() }
            upstream.change { $0.systemIdentifier = 12 }
            #expect(throws: ArchiveError.self) { try repair(archive, upstream) }
        }
    }

    @Test func theGoodOneOfTwoIsKept() throws {
        try CraftedArchive.with(segments: 6) { archive in
            let name = archive.name(archive.first + 2)
            _ = try TestCommand.asCaller("/usr/bin/zstd", ["-q", archive.file(name)]).succeed()
            try archive.change(name) { $0[500_000] ^= 1 }
            let upstream = try FakeUpstream(archive.craft)
            defer { upstream.close() }
            let outcome = try repair(archive, upstream)
            #expect(outcome.results.map(\.done) == ["kept"])
            #expect(outcome.after.findings == [])
            #expect(upstream.connections == 0)
            #expect(!FileManager.default.fileExists(atPath: archive.file(name)))
        }
    }

    @Test(arguments: ["durable.secondName", "repair.beforeRemove", "durable.removed", "repair.beforeName"])
    func killedWhileItKeepsTheGoodOne(_ point: String) throws {
        try CraftedArchive.with(segments: 6) { archive in
            let name = archive.name(archive.first + 2)
            _ = try TestCommand.asCaller("/usr/bin/zstd", ["-q", archive.file(name)]).succeed()
            try archive.change(name) { $0[500_000] ^= 1 }
            let bad = bytes(archive, name)
            let upstream = try FakeUpstream(archive.craft)
            defer { upstream.close() }
            let program = PgArchive(home: archive.path)
            let arguments = [
                "wal_archive", "verify", "--deep", "--repair", "-D", archive.path, "-d", upstream.connection,
            ]
            let killed = try program.setting("PGARCHIVE_FAULT", "\(point)=exit").run(arguments)
            #expect(killed.status == 86, "\(killed)")
            let result = try program.run(arguments)
            #expect(result.status == 0, "\(result)")
            #expect(bytes(archive, name) == nil && bytes(archive, "quarantine/\(name).1") == bad)
            let kept = try FileManager.default.contentsOfDirectory(atPath: archive.file("quarantine"))
            #expect(kept.filter { !$0.hasPrefix(".") } == ["\(name).1"])
            #expect(upstream.connections == 0)
        }
    }

    /// A record over two segments fails; the good one of the two is left alone.
    @Test func ofTwoSuspectsOnlyTheBadOneIsReplaced() throws {
        try TestDirectory.with { directory in
            var archive = try CraftedArchive("\(directory.path)/archive")
            let border = CraftedArchive.start.advanced(by: 3 << 20)
            archive.grow(to: LSN(border.rawValue - 300_000))
            archive.craft.filler(byteCount: 600_000)
            archive.grow(to: border.advanced(by: 2 << 20))
            try archive.write()
            let bad = archive.name(of: border)
            try archive.change(bad) { $0[9000] ^= 1 }
            try #expect(archive.verify().findings.map(\.segments) == [2])
            let upstream = try FakeUpstream(archive.craft)
            defer { upstream.close() }
            let outcome = try repair(archive, upstream)
            #expect(outcome.results.map(\.done) == ["unchanged", "fetched"], "\(outcome.results)")
            #expect(outcome.after.findings == [])
        }
    }

    @Test func aHistoryIsFetched() throws {
        try CraftedArchive.with(segments: 4) { archive in
            var child = archive
            let fork = archive.craft.position
            child.craft.timeline = TimelineID(2)
            child.grow(to: fork.advanced(by: 2 << 20))
            try child.write(from: archive.size.number(of: fork), timeline: TimelineID(2))
            let upstream = try FakeUpstream(child.craft)
            defer { upstream.close() }
            upstream.change { $0.histories[TimelineID(2)] = "1\t\(fork)\tno recovery target specified\n" }
            let outcome = try repair(archive, upstream)
            #expect(outcome.results.map(\.name) == ["00000002.history"])
            #expect(outcome.after.findings == [], "\(outcome.after.findings)")
        }
    }

    /// Killed between any two steps, the archive has the old file or the new, and the next run ends it.
    @Test(arguments: [
        "repair.beforeQuarantine", "repair.beforeRename", "repair.beforeRemove", "repair.done",
    ])
    func killedAnywhereItIsFinishedByTheNext(_ point: String) throws {
        try TestDirectory.with { directory in
            for damaged in ["plain", "compressed"] {
                var archive = try CraftedArchive("\(directory.path)/\(damaged)")
                archive.grow(to: CraftedArchive.start.advanced(by: 5 << 20))
                try archive.write()
                let name = archive.name(archive.first + 2)
                if damaged == "compressed" {
                    try WALDirectory(archive.path, segmentSize: archive.size).compress(name)
                    try archive.change("\(name).zst") { $0.removeLast(100) }
                } else {
                    try archive.change(name) { $0[70_000] ^= 1 }
                }
                let file = damaged == "plain" ? "\(name)" : "\(name).zst"
                let bad = try #require(bytes(archive, file))
                let good = Data(archive.content(archive.first + 2))
                let upstream = try FakeUpstream(archive.craft)
                defer { upstream.close() }
                let arguments = [
                    "wal_archive", "verify", "--deep", "--repair", "-D", archive.path, "-d", upstream.connection,
                ]
                let program = PgArchive(home: directory.path)
                let killed = try program.setting("PGARCHIVE_FAULT", "\(point)=exit").run(arguments)
                #expect(killed.status == 86, "\(killed)")
                let now = bytes(archive, "\(name)") ?? bytes(archive, file)
                #expect(now == bad || now == good)
                let result = try program.run(arguments)
                #expect(result.status == 0, "\(result)")
                #expect(bytes(archive, "\(name)") == good)
                let kept = try FileManager.default.contentsOfDirectory(atPath: archive.file("quarantine"))
                    .filter { !$0.hasPrefix(".") }
                #expect(kept == ["\(file).1"])
                #expect(bytes(archive, "quarantine/\(file).1") == bad)
                let names = try FileManager.default.contentsOfDirectory(atPath: archive.path)
                #expect(!names.contains { $0.contains(".tmp-") }, "\(names)")
            }
        }
    }
}
