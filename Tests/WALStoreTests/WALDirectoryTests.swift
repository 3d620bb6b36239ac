import ArchiveModel
import ArchiveTesting
import Foundation
import Platform
import Synchronization
import Testing
import WALFormat
import WALStore

@Suite(.enabled(if: TestEnvironment.hasPostgres, TestEnvironment.noPostgres))
struct WALDirectoryTests {
    @Test func findsASegmentInWhateverForm() throws {
        try ArchiveCopy.with { copy in
            let name = copy.original.name(of: copy.original.records[2000].start)
            let original = try copy.original.bytes(of: name)
            #expect(try copy.archive.locate(name)?.form == .plain)
            let listed = try #require(try copy.archive.list().segments.first { $0.name == name })
            try copy.archive.compress(name)
            #expect(try copy.archive.locate(name)?.form == .zstd)
            // An old listing still leads to the segment.
            let bytes = try copy.archive.bytes(of: listed)
            #expect(bytes.withBytes { Data($0) } == original)
            // Both forms, as after a kill in between: the plain one counts, and compressing finishes what was begun.
            try SpoiltFile.write(original, to: copy.file(name.description))
            #expect(try copy.archive.locate(name)?.form == .plain)
            #expect(try copy.archive.list().segments.filter { $0.name == name }.map(\.form) == [.plain])
            try copy.archive.compress(name)
            #expect(try copy.archive.locate(name)?.form == .zstd)
            #expect(try copy.archive.remove(name) > 0)
            #expect(try copy.archive.locate(name) == nil)
            #expect(throws: StoreError.notFound(name)) { try copy.archive.compress(name) }
        }
    }

    @Test func timelinesAreThoseOfAllNames() throws {
        try TestDirectory.with { directory in
            for name in [
                "000000010000000000000001", "000000010000000000000002.zst", "000000020000000000000003.partial",
                "00000004.history", "00000005.historic", "00000006", "000000070000000000000003.partial.suspect-1",
            ] { try "".write(toFile: "\(directory.path)/\(name)", atomically: false, encoding: .utf8) }
            let archive = WALDirectory(directory.path, segmentSize: .standard)
            try #expect(archive.timelines() == [TimelineID(1), TimelineID(2), TimelineID(4)])
            try #expect(archive.timelines().max() == archive.list().newestTimeline)
        }
    }

    @Test func severalCompressTheSameSegments() throws {
        try ArchiveCopy.with { copy in
            let archive = copy.archive
            let names = try archive.list().segments.filter { $0.form == .plain }.map(\.name)
            let failures = Mutex<[String]>([])
            let threads = try (0..<4).map { index in
                try OwnedThread.start(name: "compress-\(index)") {
                    for name in names {
                        do {
                            try archive.compress(name)
                        } catch {
                            failures.withLock { $0.append("\(name): \(error)") }
                        }
                    }
                }
            }
            for thread in threads { thread.join() }
            #expect(failures.withLock { $0 } == [])
            try #expect(archive.list().segments.filter { names.contains($0.name) }.allSatisfy { $0.form == .zstd })
        }
    }

    @Test func compressedIsWhatZstdUnderstands() throws {
        try ArchiveCopy.with { copy in
            let name = copy.original.name(of: copy.original.records[2000].start)
            let age = Date(timeIntervalSince1970: 1_700_000_000)
            try FileManager.default.setAttributes([.modificationDate: age], ofItemAtPath: copy.file(name.description))
            try copy.archive.compress(name)
            let out = "\(copy.directory.path)/out"
            try TestCommand("zstd", ["-dq", copy.file("\(name).zst"), "-o", out]).succeed()
            #expect(FileManager.default.contents(atPath: out) == (try copy.original.bytes(of: name)))
            let kept = try FileManager.default.attributesOfItem(atPath: copy.file("\(name).zst"))[.modificationDate]
            #expect(kept as? Date == age)
            // What others compressed is read as well, be it in several frames.
            let bytes = try copy.original.bytes(of: name)
            try SpoiltFile.write(bytes.prefix(300_000), to: "\(out).1")
            try SpoiltFile.write(bytes.dropFirst(300_000), to: "\(out).2")
            try TestCommand(
                "/bin/sh",
                ["-c", "(zstd -q19c '\(out).1'; zstd -q1c '\(out).2') > '\(copy.file("\(name).zst"))'"]
            ).succeed()
            let stored = try #require(try copy.archive.locate(name))
            #expect(try copy.archive.bytes(of: stored).withBytes { Data($0) } == bytes)
        }
    }

    @Test func damagedCompressionIsSaid() throws {
        try ArchiveCopy.with { copy in
            let name = copy.original.name(of: copy.original.records[2000].start)
            try copy.archive.compress(name)
            let file = copy.file("\(name).zst")
            let whole = try #require(FileManager.default.contents(atPath: file))
            var flipped = whole
            flipped[whole.count / 2] ^= 1
            let stored = try #require(try copy.archive.locate(name))
            for spoilt in [flipped, whole.prefix(whole.count / 2), whole.prefix(3), Data()] {
                try SpoiltFile.write(spoilt, to: file)
                #expect(throws: StoreError.self) { _ = try copy.archive.bytes(of: stored) }
                #expect(copy.fetch(copy.request(name)).outcome.exitStatus == FetchOutcome.abortStatus)
            }
        }
    }

    @Test func onlyWholeSegmentsAreCompressed() throws {
        try ArchiveCopy.with { copy in
            let name = copy.original.name(of: copy.original.records[2000].start)
            try SpoiltFile.write(try copy.original.bytes(of: name).dropLast(), to: copy.file(name.description))
            #expect(throws: StoreError.self) { try copy.archive.compress(name) }
            #expect(try copy.archive.locate(name)?.form == .plain)
            #expect(try copy.archive.list().foreign == [])
        }
    }

    @Test func readersAreNotDisturbedByCompression() throws {
        try ArchiveCopy.with { copy in
            let names = try copy.archive.list().segments.map(\.name)
            let failure = Mutex<(any Error)?>(nil)
            let archive = copy.archive
            let compressing = try OwnedThread.start(name: "compress") {
                do {
                    for name in names { try archive.compress(name) }
                } catch {
                    failure.withLock { $0 = error }
                }
            }
            var rounds = 0
            repeat {
                for name in names {
                    let reader = try #require(try copy.archive.open(name), "\(name) was gone for a moment")
                    #expect(reader.major != nil)
                }
                rounds += 1
            } while !compressing.isFinished
            compressing.join()
            if let error = failure.withLock({ $0 }) { throw error }
            #expect(rounds > 0)
            #expect(try copy.archive.list().segments.allSatisfy { $0.form == .zstd })
        }
    }

    @Test func aDamagedHistoryIsReplacedAndKept() throws {
        try ArchiveCopy.with { copy in
            let text = "1\t0/5000000\tno recovery target specified\n"
            let file = copy.archive.historyPath(of: TimelineID(2))
            try Data("rubbish\n".utf8).write(to: URL(fileURLWithPath: file))
            try copy.archive.storeHistory(TimelineID(2), text: text)
            #expect(try copy.archive.historyText(TimelineID(2)) == text)
            #expect(try copy.archive.list().foreign == ["00000002.history.damaged-1"])
        }
    }

    @Test func aHistoryIsNeverOverwritten() throws {
        try ArchiveCopy.with { copy in
            let text = "1\t0/5000000\tno recovery target specified\n"
            try copy.archive.storeHistory(TimelineID(2), text: text)
            try copy.archive.storeHistory(TimelineID(2), text: text)
            #expect(try copy.archive.history(TimelineID(2))?.ancestors.map(\.end) == [LSN(0x500_0000)])
            #expect(try copy.archive.path(to: TimelineID(2)).description == "1@0/5000000,2")
            let other = "1\t0/6000000\tno recovery target specified\n"
            for _ in 0..<2 {
                #expect(throws: StoreError.self) { try copy.archive.storeHistory(TimelineID(2), text: other) }
            }
            #expect(try copy.archive.historyText(TimelineID(2)) == text)
            #expect(try copy.archive.list().foreign == ["00000002.history.conflict-1"])
            #expect(throws: StoreError.self) { try copy.archive.storeHistory(TimelineID(3), text: "rubbish\n") }
            #expect(throws: StoreError.historyMissing(TimelineID(3))) { _ = try copy.archive.path(to: TimelineID(3)) }
            #expect(try copy.archive.path(to: TimelineID(1)) == TimelinePath(TimelineID(1)))
        }
    }
}
