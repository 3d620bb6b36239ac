import ArchiveTesting
import Foundation
import Platform
import Testing
import WALFormat
import WALStore

/// `pgarchive-wal fetch --from DIR` as anybody's restore_command.
@Suite(.enabled(if: TestEnvironment.hasPostgres, TestEnvironment.noPostgres))
struct PlainFetchTests {
    /// In the copy's data directory, as PostgreSQL runs it.
    private func fetch(_ copy: ArchiveCopy, _ name: some CustomStringConvertible, from: String? = nil) throws
        -> CommandResult
    {
        unlink(copy.target)
        var command = TestCommand(
            try BuiltPrograms.pgarchiveWAL(),
            ["fetch", "--from", from ?? copy.path, "\(name)", "pg_wal/RECOVERYXLOG"]
        )
        command.workingDirectory = data(copy)
        return try command.run()
    }

    private func data(_ copy: ArchiveCopy) -> String { FilePath.parent(of: FilePath.parent(of: copy.target)) }

    private func next(_ name: SegmentName, _ size: SegmentSize, by step: UInt64 = 1) throws -> SegmentName {
        SegmentName(timeline: name.timeline, number: try #require(name.number(size: size)) + step, size: size)
    }

    @Test func servesEachSegmentAndEndsAfterTheLast() throws {
        try ArchiveCopy.with { copy in
            let names = try copy.archive.list().segments.map(\.name)
            for (index, name) in names.enumerated() {
                if index % 3 == 1 { try copy.archive.compress(name) }
                let result = try fetch(copy, name)
                #expect(result.status == 0, "\(result)")
                #expect(copy.fetched == (try copy.original.bytes(of: name)))
            }
            #expect(try fetch(copy, next(try #require(names.last), copy.original.size)).status == 1)
            #expect(try fetch(copy, "00000002.history").status == 1)
            #expect(copy.fetched == nil)
        }
    }

    @Test func thePartialSegmentAtTheEndIsServedUpToItsLastRecord() throws {
        try ArchiveCopy.with { copy in
            let size = copy.original.size
            let record = copy.original.records[2000]
            let name = copy.original.name(of: record.start)
            let start = try #require(name.start(size: size))
            let kept = Int(record.end.bytes(since: start))
            let original = try copy.original.bytes(of: name)
            for segment in try copy.archive.list().segments where segment.name != name {
                if let number = segment.name.number(size: size), number > size.number(of: start) {
                    try FileManager.default.removeItem(atPath: copy.file("\(segment.name)"))
                }
            }
            try FileManager.default.removeItem(atPath: copy.file("\(name)"))
            // As pg_receivewal leaves it, as ours does, and as a promoted server archives it; with half a record.
            let beginning = original.prefix(kept + 20)
            for content in [
                beginning + Data(count: original.count - beginning.count), beginning,
                beginning + Data(repeating: 0x55, count: original.count - beginning.count),
            ] {
                try SpoiltFile.write(content, to: copy.file("\(name).partial"))
                let result = try fetch(copy, name)
                #expect(result.status == 0, "\(result)")
                #expect(copy.fetched == original.prefix(kept) + Data(count: original.count - kept))
            }
            // Nothing of it is WAL yet.
            try SpoiltFile.write(Data(), to: copy.file("\(name).partial"))
            #expect(try fetch(copy, name).status == 1)
        }
    }

    @Test func absenceThatIsNoEndAbortsRecovery() throws {
        try ArchiveCopy.with { copy in
            let name = copy.original.name(of: copy.original.records[2000].start)
            let empty = try copy.directory.subdirectory("empty")
            let gone = "\(copy.directory.path)/unmounted"
            for (from, wanted) in [
                (gone, "\(name)"), (gone, "00000002.history"), (empty, "\(name)"), (empty, "00000002.history"),
            ] {
                let result = try fetch(copy, wanted, from: from)
                #expect(result.status == 200, "\(from): \(result)")
            }
            try FileManager.default.removeItem(atPath: copy.file("\(name)"))
            #expect(try fetch(copy, name).status == 200)
            try copy.flip(name, at: 400_000)
            #expect(try fetch(copy, name).status == 200)
            // A standby asks again.
            try SpoiltFile.write("", to: "\(data(copy))/standby.signal")
            let result = try fetch(copy, name)
            #expect(result.status == 1)
            #expect(result.error.contains("is damaged"))
            #expect(result.seconds < 4)
        }
    }

    /// The old primary died before it had archived its last segments; recovery would end there, and open the database.
    @Test(arguments: ["a newer timeline's WAL", "its history", "the last partial segment"])
    func aHoleAtTheEndOfATimelineThatWasLeftIsNoEnd(proof: String) throws {
        try ArchiveCopy.with { copy in
            let names = try copy.archive.list().segments.map(\.name)
            let left = names[5]
            for name in names[3...] { try FileManager.default.removeItem(atPath: copy.file("\(name)")) }
            let bytes = try copy.original.bytes(of: left)
            let start = try #require(left.start(size: copy.original.size))
            switch proof {
            case "its history": try copy.arrive(TimelineID(2), forkingAt: start.advanced(by: 4096))
            case "the last partial segment": try SpoiltFile.write(bytes, to: copy.file("\(left).partial"))
            default:
                try copy.arrive(TimelineID(2), forkingAt: start.advanced(by: 4096))
                let own = SegmentName(timeline: TimelineID(2), containing: start, size: copy.original.size)
                try SpoiltFile.write(bytes, to: copy.file("\(own)"))
                // Who follows timeline 2 gets its copy; who asks for this one follows timeline 1, which went on in it.
                #expect(try fetch(copy, left).status == 200)
                try SpoiltFile.write("", to: "\(data(copy))/standby.signal")
                let standby = try fetch(copy, left)
                #expect(standby.status == 1 && standby.error.isEmpty, "\(standby)")
                unlink("\(data(copy))/standby.signal")
                // As PostgreSQL asks at the end of timeline 2: that is one.
                for timeline: UInt32 in [2, 1] {
                    let end = SegmentName(timeline: TimelineID(timeline), containing: start, size: copy.original.size)
                    #expect(try fetch(copy, next(end, copy.original.size)).status == 1)
                }
            }
            for name in names[3...4] {
                let result = try fetch(copy, name)
                #expect(result.status == 200, "\(result)")
                #expect(result.error.contains("\(name) is not in the archive, though"), "\(result)")
            }
            // Nor does what there is of the hole's first one make it an end.
            try SpoiltFile.write(
                try copy.original.bytes(of: names[3]).prefix(40_000),
                to: copy.file("\(names[3]).partial")
            )
            if proof != "the last partial segment" { #expect(try fetch(copy, names[3]).status == 200) }
            #expect(try fetch(copy, names[2]).status == 0)
        }
    }

    /// PostgreSQL would replay what its timeline never had.
    @Test func theParentsCopyDoesNotStandInForTheChilds() throws {
        try ArchiveCopy.with { copy in
            let record = copy.original.records[2000]
            let name = copy.original.name(of: record.start)
            try copy.arrive(TimelineID(2), forkingAt: record.start)
            let result = try fetch(copy, name)
            #expect(result.status == 200, "\(result)")
            #expect(result.error.contains("timeline 2 leaves timeline 1"))
            let own = SegmentName(timeline: TimelineID(2), containing: record.start, size: copy.original.size)
            try SpoiltFile.write(try copy.original.bytes(of: name), to: copy.file("\(own)"))
            #expect(try fetch(copy, name).status == 0)
        }
    }
}

/// Whatever strikes a fetch, PostgreSQL gets a whole file or none, and never takes trouble for the end.
@Suite(
    .enabled(if: TestEnvironment.hasPostgres, TestEnvironment.noPostgres),
    .enabled(if: TestEnvironment.hasStrace, TestEnvironment.noStrace)
)
struct FetchCrashTests {
    /// Also where files cannot be nameless: there the next fetch removes what a killed one left.
    @Test(arguments: ["", "fetch.nameless=unsupported,"])
    func killedBeforeItGivesTheName(fault: String) throws {
        try ArchiveCopy.with { copy in
            let name = copy.original.name(of: copy.original.records[2000].start)
            func fetch(_ fault: String) throws -> CommandResult {
                try TestCommand(
                    try BuiltPrograms.pgarchiveWAL(),
                    ["fetch", "--from", copy.path, "\(name)", copy.target],
                    environment: ["PGARCHIVE_FAULT": fault]
                ).run()
            }
            let killed = try fetch(fault + "fetch.beforeName=exit")
            #expect(killed.status == 86, "\(killed)")
            #expect(copy.fetched == nil)
            let again = try fetch(String(fault.dropLast()))
            #expect(again.status == 0, "\(again)")
            try #expect(copy.fetched == copy.original.bytes(of: name))
            let directory = FilePath.parent(of: copy.target)
            try #expect(FileManager.default.contentsOfDirectory(atPath: directory) == [FilePath.name(of: copy.target)])
        }
    }

    @Test(arguments: ["", ".zst", ".partial"], ["signal=KILL", "error=EIO", "error=ENOSPC"])
    func struckAtEachSystemCall(suffix: String, injection: String) throws {
        try ArchiveCopy.with { copy in
            let name = copy.original.name(of: try #require(copy.original.records.last).start)
            let original = try copy.original.bytes(of: name)
            if suffix == ".zst" { try copy.archive.compress(name) }
            if suffix == ".partial" { rename(copy.file("\(name)"), copy.file("\(name).partial")) }
            let sweep = SyscallSweep(
                arguments: ["fetch", "--from", copy.path, "\(name)", copy.target],
                workingDirectory: copy.directory.path,
                directory: copy.directory
            )
            let strikes = try sweep.walk(injection) { strike in
                let place: Comment = "\(strike.call) \(strike.number): \(strike.result)"
                #expect(copy.fetched == nil || copy.fetched == original, place)
                if injection == "signal=KILL" {
                    #expect(strike.result.status == 137, place)
                } else {
                    #expect(strike.result.status == 0 || strike.result.status == 200, place)
                    if strike.result.status == 0 { #expect(copy.fetched == original, place) }
                }
                unlink(copy.target)
            }
            #expect(strikes > 10)
            unlink(copy.target)
            let left = try FileManager.default.contentsOfDirectory(atPath: FilePath.parent(of: copy.target))
            #expect(left == [])
        }
    }
}
