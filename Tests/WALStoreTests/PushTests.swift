import ArchiveTesting
import Foundation
import Glibc
import Platform
import Testing
import WALFormat
import WALStore

/// What `pgarchive-wal push` stores, what it refuses, and that it never overwrites.
@Suite(.enabled(if: TestEnvironment.hasPostgres, TestEnvironment.noPostgres))
struct PushTests {
    private static let kinds: [TestFilesystem.Kind] = [.plain, .btrfs, .xfs, .tmpfs, .sshfs]
    /// What a filesystem of the network lacks: files without a name, renaming without overwriting, links.
    private static let lacking = [
        "newFile.nameless=unsupported", "newFile.nameless=unsupported,newFile.renameNew=unsupported",
        "newFile.nameless=unsupported,newFile.renameNew=unsupported,newFile.link=unsupported",
    ]

    /// Where files cannot be nameless, as on NFS, it goes another way.
    @Test(arguments: kinds, [""] + lacking)
    func storesWhatIsThere(kind: TestFilesystem.Kind, fault: String) throws {
        try kind.orSkip()
        try PushFixture.with(on: kind) { fixture in
            let names = try FileManager.default.contentsOfDirectory(atPath: "\(fixture.data)/pg_wal").sorted()
            for name in names {
                let result = try fixture.push(name, environment: ["PGARCHIVE_FAULT": fault])
                #expect(result.status == 0, "\(result)")
                #expect(result.error.isEmpty)
                #expect(fixture.content(fixture.stored(name)) == fixture.content(fixture.source(name)))
            }
            #expect(try fixture.files.filter { $0 != NewFile.workDirectory } == names)
            // Again, as after a crash of the server between the command and its note of it.
            for name in names {
                let result = try fixture.push(name)
                #expect(result.status == 0, "\(result)")
            }
            #expect(try fixture.files.filter { $0 != NewFile.workDirectory } == names)
        }
    }

    @Test func otherContentIsRefusedAndBothAreKept() throws {
        try PushFixture.with { fixture in
            let name = fixture.name
            #expect(try fixture.push(name, fixture.asContainer).status == 0)
            let original = try fixture.original.bytes(of: name)
            var other = original
            other[500_000] ^= 1
            try fixture.put(other, as: name)
            for options in [["--to", fixture.archive], fixture.asContainer, fixture.asContainer] {
                let result = try fixture.push(name, options)
                #expect(result.status == 7)
                #expect(result.error.contains("has other content from"))
                #expect(fixture.content(fixture.stored(name)) == original)
            }
            // In a container the other one is kept too, once.
            #expect(try fixture.files == ["\(name)", "\(name).conflict-1"])
            #expect(fixture.content(fixture.stored("\(name).conflict-1")) == other)
        }
    }

    @Test(arguments: ["zstd", "gzip", "lz4"])
    func aCompressedCopyIsTheSame(program: String) throws {
        try PushFixture.with { fixture in
            let name = fixture.name
            let suffix = ["zstd": "zst", "gzip": "gz", "lz4": "lz4"][program] ?? ""
            let compressed = fixture.stored("\(name).\(suffix)")
            let command = TestCommand("/bin/sh", ["-c", "\(program) -c '\(fixture.source(name))' > '\(compressed)'"])
            guard try command.run().status == 0 else { try Test.cancel("needs \(program)") }
            let result = try fixture.push(name)
            #expect(result.status == 0, "\(result)")
            #expect(try fixture.files == ["\(name).\(suffix)"])
            var other = try fixture.original.bytes(of: name)
            other[700_000] ^= 1
            try fixture.put(other, as: name)
            #expect(try fixture.push(name).status == 7)
            #expect(try fixture.files == ["\(name).\(suffix)"])
            // What cannot be decompressed is no segment: the plain one goes beside it.
            try SpoiltFile.write(try #require(fixture.content(compressed)).prefix(2000), to: compressed)
            try fixture.put(fixture.original.bytes(of: name), as: name)
            #expect(try fixture.push(name).status == 0)
            #expect(try fixture.files == ["\(name)", "\(name).\(suffix)"])
        }
    }

    /// As `cp` leaves it when it is killed, before push took its place.
    @Test(arguments: [0, 1, 8192, 700_000])
    func aTornCopyGivesWay(bytes: Int) throws {
        try PushFixture.with { fixture in
            let name = fixture.name
            let original = try fixture.original.bytes(of: name)
            try SpoiltFile.write(original.prefix(bytes), to: fixture.stored(name))
            let result = try fixture.push(name)
            #expect(result.status == 0)
            #expect(result.error.hasPrefix("warning: "))
            #expect(try fixture.files == ["\(name)", "\(name).torn-1"])
            #expect(fixture.content(fixture.stored(name)) == original)
            #expect(fixture.content(fixture.stored("\(name).torn-1")) == original.prefix(bytes))
        }
    }

    /// What a segment holds after its switch is nobody's: a standby's copy may differ from the primary's there.
    @Test func whatFollowsASwitchMayDiffer() throws {
        try PushFixture.with { fixture in
            let record = try #require(
                fixture.original.records.first {
                    $0.isSegmentSwitch && $0.end.rawValue - $0.start.rawValue > 20_000
                }
            )
            let name = fixture.original.name(of: record.start)
            #expect(try fixture.push(name).status == 0)
            let original = try fixture.original.bytes(of: name)
            var other = original
            other[original.count - 100] ^= 1
            try fixture.put(other, as: name)
            let result = try fixture.push(name)
            #expect(result.status == 0, "\(result)")
            #expect(fixture.content(fixture.stored(name)) == original)
            other[Int(record.start.rawValue % (1 << 20)) + 1] ^= 1
            try fixture.put(other, as: name)
            #expect(try fixture.push(name).status == 7)
        }
    }

    /// What is wrong with a segment, and the status that tells it.
    @Test(arguments: [
        ("header", 9), ("sysid", 4), ("size", 9), ("longer", 9), ("address", 9), ("timeline", 4), ("zeros", 9),
        ("record", 9), ("zeroed page", 9), ("segment size", 4), ("empty", 9),
    ])
    func whatIsNoSegmentOfThisArchiveIsRefused(what: String, status: Int32) throws {
        try PushFixture.with { fixture in
            let name = fixture.name
            var bytes = try fixture.original.bytes(of: name)
            switch what {
            case "header": bytes[0] ^= 0xFF
            case "sysid": bytes[24] ^= 1
            case "size": bytes.removeLast(8192)
            case "longer": bytes.append(contentsOf: [0])
            case "address": bytes[13] ^= 1
            case "timeline": bytes[4] = 9
            case "zeros": bytes = Data(count: bytes.count)
            case "record": bytes[600_000] ^= 4
            case "zeroed page": bytes.replaceSubrange(65_536..<73_728, with: Data(count: 8192))
            case "segment size": bytes[34] = 0x20
            default: bytes = Data()
            }
            try fixture.put(bytes, as: name)
            let result = try fixture.push(name, fixture.asContainer)
            #expect(result.status == status, "\(result)")
            #expect(result.error.hasPrefix("error: "))
            #expect(result.error.contains("\nhint: "))
            #expect(try fixture.files == [])
        }
    }

    /// Two servers whose archive_command names the same directory.
    @Test func oneDirectoryIsForOneCluster() throws {
        try PushFixture.with { fixture in
            #expect(try fixture.push(fixture.name).status == 0)
            let size = fixture.original.size
            let number = try #require(fixture.name.number(size: size))
            for next in [number + 1, number + 2] {
                let name = SegmentName(timeline: fixture.name.timeline, number: next, size: size)
                var bytes = try fixture.original.bytes(of: name)
                bytes[24] ^= 1
                try fixture.put(bytes, as: name)
                let result = try fixture.push(name)
                #expect(result.status == 4)
                #expect(result.error.contains("system identifier"))
            }
            #expect(try fixture.files == ["\(fixture.name)"])
        }
    }

    /// A segment that somebody copied into the pg_wal of another cluster.
    @Test func theServerBesideItIsTheSameCluster() throws {
        try PushFixture.with { fixture in
            try TestCommand("/bin/mkdir", ["\(fixture.data)/global"]).succeed()
            let control = try #require(fixture.content("\(fixture.original.backup)/global/pg_control"))
            try SpoiltFile.write(control, to: "\(fixture.data)/global/pg_control")
            #expect(try fixture.push(fixture.name).status == 0)
            let next = SegmentName(
                timeline: fixture.name.timeline,
                number: try #require(fixture.name.number(size: fixture.original.size)) + 1,
                size: fixture.original.size
            )
            var bytes = try fixture.original.bytes(of: next)
            bytes[25] ^= 1
            try fixture.put(bytes, as: next)
            let result = try fixture.push(next)
            #expect(result.status == 4)
            #expect(result.error.contains("the server beside it"))
        }
    }

    @Test func aTimelinesFirstSegmentBeginsWithItsParents() throws {
        try PushFixture.with { fixture in
            let size = fixture.original.size
            let fork = try #require(fixture.name.start(size: size)).advanced(by: 500_000)
            // The file of timeline 2 begins with the parent's pages.
            let child = SegmentName(timeline: TimelineID(2), containing: fork, size: size)
            let bytes = try fixture.original.bytes(of: fixture.name)
            try fixture.put(bytes, as: child)
            try SpoiltFile.write("1\t\(fork)\tno recovery target specified\n", to: fixture.source("00000002.history"))
            #expect(try fixture.push("00000002.history").status == 0)
            let result = try fixture.push(child)
            #expect(result.status == 0, "\(result)")
            // The one after that has no page of the parent's.
            let number = try #require(child.number(size: size))
            let next = SegmentName(timeline: TimelineID(2), number: number + 1, size: size)
            let parents = SegmentName(timeline: TimelineID(1), number: number + 1, size: size)
            try fixture.put(fixture.original.bytes(of: parents), as: next)
            #expect(try fixture.push(next).status == 4)
        }
    }

    @Test func aPartialSegmentIsComparedUpToItsLastRecord() throws {
        try PushFixture.with { fixture in
            let start = try #require(fixture.name.start(size: fixture.original.size))
            let name = "\(fixture.name).partial"
            let cuts = fixture.original.records.filter { $0.start > start && $0.end < start.advanced(by: 1 << 20) }
            func partial(upTo record: WALRecord, filler: UInt8) throws -> Data {
                let kept = Int(record.end.bytes(since: start))
                let whole = try fixture.original.bytes(of: fixture.name)
                return whole.prefix(kept) + Data(repeating: filler, count: whole.count - kept)
            }
            let short = cuts[cuts.count / 3]
            let long = cuts[cuts.count / 2]
            // As the server has it: after the last record whatever was there before.
            try fixture.put(partial(upTo: short, filler: 0x55), as: name)
            #expect(try fixture.push(name).status == 0)
            #expect(try fixture.push(name).status == 0)
            // As the receiver writes it: zeros, or nothing.
            try SpoiltFile.write(partial(upTo: short, filler: 0).prefix(800_000), to: fixture.stored(name))
            #expect(try fixture.push(name).status == 0)
            try SpoiltFile.write(partial(upTo: long, filler: 0), to: fixture.stored(name))
            #expect(try fixture.push(name).status == 0)
            #expect(fixture.content(fixture.stored(name)) == (try partial(upTo: long, filler: 0)))
        }
    }

    @Test func historiesAndBackupFiles() throws {
        try PushFixture.with { fixture in
            let history = "00000002.history"
            let backup = "\(fixture.name).00000028.backup"
            try SpoiltFile.write("1\t0/3000000\tno recovery target specified\n", to: fixture.source(history))
            try SpoiltFile.write(
                "START WAL LOCATION: 0/300028 (file \(fixture.name))\nSTOP WAL LOCATION: 0/400000\n",
                to: fixture.source(backup)
            )
            for name in [history, backup] {
                // Torn by an interrupted copy.
                let whole = try #require(fixture.content(fixture.source(name)))
                try SpoiltFile.write(whole.prefix(7), to: fixture.stored(name))
                for _ in 0..<2 { #expect(try fixture.push(name).status == 0) }
                #expect(fixture.content(fixture.stored(name)) == whole)
                try SpoiltFile.write(
                    String(decoding: whole, as: UTF8.self).replacingOccurrences(of: "0/300", with: "0/310"),
                    to: fixture.source(name)
                )
                #expect(try fixture.push(name).status == 7)
                #expect(fixture.content(fixture.stored(name)) == whole)
            }
            for (name, text) in [
                ("00000003.history", ""), ("00000003.history", "nonsense"), ("00000003.history", "5\t0/1\tx\n"),
                ("\(fixture.name).00000030.backup", "nonsense"),
            ] {
                try SpoiltFile.write(text, to: fixture.source(name))
                #expect(try fixture.push(name).status == 9, "\(name): \(text)")
            }
        }
    }

    /// PostgreSQL copies the parent's history whole, so that one can be the beginning of another.
    @Test func aWholeHistoryIsNotTornBecauseAnotherBeginsLikeIt() throws {
        try PushFixture.with { fixture in
            let name = "00000003.history"
            // The server that stored the first one never saw timeline 2.
            let first = "1\t0/3000000\tno recovery target specified\n"
            try SpoiltFile.write(first, to: fixture.source(name))
            #expect(try fixture.push(name, fixture.asContainer).status == 0)
            let second = "\(first)\n2\t0/3000000\tno recovery target specified\n"
            try SpoiltFile.write(second, to: fixture.source(name))
            // Killed while it keeps the other one: no half of that is left.
            let killed = try fixture.push(
                name,
                fixture.asContainer,
                environment: ["PGARCHIVE_FAULT": "durable.noReplace=exit"]
            )
            #expect(killed.status == 86, "\(killed)")
            #expect(fixture.content(fixture.stored("\(name).conflict-1")) == nil)
            #expect(try fixture.push(name, fixture.asContainer).status == 7)
            #expect(fixture.content(fixture.stored(name)) == Data(first.utf8))
            #expect(fixture.content(fixture.stored("\(name).conflict-1")) == Data(second.utf8))
        }
    }

    /// A mount point on which nothing is mounted looks like an empty archive.
    @Test func aContainersArchiveIsKnownByItsMark() throws {
        try PushFixture.with { fixture in
            let mark = fixture.stored(ArchiveMark.name)
            try FileManager.default.removeItem(atPath: mark)
            for text in [nil, "", "nonsense\n"] {
                if let text { try SpoiltFile.write(text, to: mark) }
                let result = try fixture.push(fixture.name, fixture.asContainer)
                #expect(result.status == 6, "\(result)")
                #expect(result.error.contains(ArchiveMark.name))
            }
            try SpoiltFile.write("1\n", to: mark)
            #expect(try fixture.push(fixture.name, fixture.asContainer).status == 4)
            #expect(try fixture.files == [])
            // A plain directory needs none.
            #expect(try fixture.push(fixture.name).status == 0)
        }
    }

    /// Left by a receiver that came before push.
    @Test func aShorterPartialSegmentGivesWayWhenNobodyReceivesIt() throws {
        try PushFixture.with { fixture in
            let name = "\(fixture.name).partial"
            let whole = try fixture.original.bytes(of: fixture.name)
            let record = try #require(
                fixture.original.records.first { fixture.original.name(of: $0.start) == fixture.name }
            )
            let short = whole.prefix(Int(record.end.rawValue % (1 << 20)) + 1000)
            try SpoiltFile.write(short, to: fixture.stored(name))
            try fixture.put(whole, as: name)
            do {
                let directory = try Descriptor.open(fixture.archive, O_RDONLY | O_DIRECTORY)
                #expect(flock(directory.raw, LOCK_EX | LOCK_NB) == 0)
                #expect(try fixture.push(name).status == 1)
                try directory.close()
            }
            let result = try fixture.push(name)
            #expect(result.status == 0, "\(result)")
            #expect(try fixture.files == [name, "\(name).torn-1"])
            #expect(fixture.content(fixture.stored(name)) == whole)
            #expect(fixture.content(fixture.stored("\(name).torn-1")) == short)
        }
    }

    /// Only the end of a record that switches segments may stand alone at the beginning of one.
    @Test func damageBehindTheEndOfAnOpenRecordIsSeen() throws {
        try PushFixture.with { fixture in
            for (info, resourceManager, status) in [(0x40, 0, 0), (0x40, 1, 9), (0x50, 0, 9)] as [(UInt8, UInt8, Int32)]
            {
                for rest in [8, 16] {
                    var bytes = Data(try fixture.original.bytes(of: fixture.name).prefix(40))
                    // XLP_FIRST_IS_CONTRECORD and xlp_rem_len.
                    bytes[2] |= 1
                    bytes.replaceSubrange(16..<20, with: [UInt8(rest), 0, 0, 0])
                    bytes.append(Data(repeating: 0x33, count: rest - 8))
                    bytes.append(contentsOf: [info, resourceManager, 0, 0, 1, 2, 3, 4])
                    bytes.append(Data(count: (1 << 20) - bytes.count))
                    try fixture.put(bytes, as: fixture.name)
                    let result = try fixture.push(fixture.name)
                    #expect(result.status == status, "\(info) \(resourceManager) \(rest): \(result)")
                    try? FileManager.default.removeItem(atPath: fixture.stored(fixture.name))
                }
            }
        }
    }

    @Test(arguments: [
        "passwd", "../000000010000000000000001", "000000010000000000000001.zst", "000000010000000000000001.gz",
        "00000001000000000000000a", "000000000000000000000001", "0000000100000000000000011", "", ".", "..",
        "00000001.histor", "00000000.history", "000000010000000000000001.backup", "-rf", "000000010000000000000001 ",
        "000000010000000000000001.partial.suspect-1", "RECOVERYXLOG", "ä", "000000010000000000000001\n",
    ])
    func otherNamesAreRefused(name: String) throws {
        try PushFixture.with { fixture in
            // A name that leads elsewhere is judged by its last part, and nothing is stored beside the archive.
            let result = try fixture.push(name)
            #expect((1...125).contains(result.status), "\(result)")
            #expect(result.error.hasPrefix("error: "))
            #expect(try fixture.files == [])
        }
    }

    @Test func twoAtOnceBothSucceed() throws {
        try PushFixture.with { fixture in
            for _ in 0..<5 {
                let name = fixture.name
                let program = try BuiltPrograms.pgarchiveWAL()
                let processes = try (0..<4).map { _ in
                    var command = TestCommand(program, fixture.arguments(name))
                    command.workingDirectory = fixture.data
                    return try command.start()
                }
                for process in processes { #expect(try process.wait(deadline: 60).status == 0) }
                #expect(try fixture.files == ["\(name)"])
                #expect(fixture.content(fixture.stored(name)) == (try fixture.original.bytes(of: name)))
                try FileManager.default.removeItem(atPath: fixture.stored(name))
            }
        }
    }

    /// Killed before its exit status is seen, it is asked again.
    @Test(arguments: [""] + lacking.map { $0 + "," }, ["newFile.beforeName", "newFile.afterName"])
    func killedBesideTheName(how: String, point: String) throws {
        try PushFixture.with { fixture in
            let name = fixture.name
            let killed = try fixture.push(name, environment: ["PGARCHIVE_FAULT": "\(how)\(point)=exit"])
            #expect(killed.status == 86, "\(killed)")
            let content = fixture.content(fixture.source("\(name)"))
            #expect(fixture.content(fixture.stored(name)) == (point == "newFile.afterName" ? content : nil))
            let again = try fixture.push(name)
            #expect(again.status == 0, "\(again)")
            #expect(fixture.content(fixture.stored(name)) == content)
            try #expect(fixture.files.filter { $0 != NewFile.workDirectory } == ["\(name)"])
        }
    }

    /// One of two that have different content for a name is refused, whichever is second.
    @Test func anotherThatComesBetweenIsNotOverwritten() throws {
        try PushFixture.with { fixture in
            let name = fixture.name
            let mark = "\(fixture.directory.path)/mark"
            for fault in ["newFile.beforeName=stop"] + Self.lacking.map({ "\($0),newFile.beforeName=stop" }) {
                var command = TestCommand(
                    try BuiltPrograms.pgarchiveWAL(),
                    fixture.arguments(name),
                    environment: ["PGARCHIVE_FAULT": fault, "PGARCHIVE_FAULT_MARK": mark]
                )
                command.workingDirectory = fixture.data
                let process = try command.start()
                try eventually(within: 60, "it is about to give the name") {
                    FileManager.default.fileExists(atPath: mark)
                }
                try SpoiltFile.write("somebody else's", to: fixture.stored(name))
                // Once may be too early: it leaves the mark before it stops.
                try eventually(within: 60, "it has ended") {
                    process.signal(SIGCONT)
                    return !process.isRunning
                }
                let result = try process.wait(deadline: 60)
                #expect(result.status == 7, "\(result)")
                #expect(fixture.content(fixture.stored(name)) == Data("somebody else's".utf8))
                try FileManager.default.removeItem(atPath: fixture.stored(name))
                try FileManager.default.removeItem(atPath: mark)
            }
        }
    }

    @Test func anArchiveThatIsNotThereIsNotMade() throws {
        try PushFixture.with { fixture in
            let missing = "\(fixture.directory.path)/unmounted"
            let result = try fixture.push(fixture.name, ["--to", missing])
            #expect(result.status == 6)
            #expect(result.error.contains("is not there"))
            #expect(!FileManager.default.fileExists(atPath: missing))
            let file = fixture.source(fixture.name)
            #expect(try fixture.push(fixture.name, ["--to", file]).status == 6)
            // A segment that PostgreSQL is about to recycle is not archived by being where it is.
            #expect(try fixture.push(fixture.name, ["--to", "pg_wal"]).status == 4)
            #expect(try fixture.push("00000001000000000000FFFE").status == 6)
        }
    }

    @Test func aFullDiskLeavesNothing() throws {
        try TestFilesystem.Kind.tmpfs.orSkip()
        try PushFixture.with { fixture in
            let small = try TestFilesystem(.tmpfs, in: fixture.directory, megabytes: 1, name: "small")
            defer { try? small.unmount() }
            try SpoiltFile.write(Data(count: 300_000), to: "\(small.path)/ballast")
            let result = try fixture.push(fixture.name, ["--to", small.path])
            #expect(result.status == 1)
            #expect(result.error.contains("make room"))
            #expect(try FileManager.default.contentsOfDirectory(atPath: small.path) == ["ballast"])
        }
    }

    /// SIGXFSZ would look like a killed command.
    @Test func aLimitOfFileSizesIsAnError() throws {
        try PushFixture.with { fixture in
            let words = [try BuiltPrograms.pgarchiveWAL()] + fixture.arguments(fixture.name)
            var command = TestCommand("/bin/sh", ["-c", "ulimit -f 100; exec \"$@\"", "sh"] + words)
            command.workingDirectory = fixture.data
            let result = try command.run()
            #expect(result.status == 1, "\(result)")
            #expect(try fixture.files == [])
        }
    }

    @Test(arguments: [
        [], ["a"], ["--to"], ["--to", "/tmp"], ["--to", "/tmp", "a", "b"], ["--to", "", "a"], ["--wat", "a"],
        ["--archive", "/tmp", "a"], ["--archive", "/tmp", "--to", "/tmp", "--system-identifier", "1", "a"],
        ["--to", "/tmp", "--to", "/tmp", "a"], ["--to", "/tmp", "--segment-size", "16MB", "a"],
        ["--to", "/tmp", "--help", "a"], ["--archive", "/tmp", "--system-identifier", "-1", "a"],
    ])
    func wrongOptionsAreErrorsThatTheArchiverCounts(arguments: [String]) throws {
        let result = try TestCommand(try BuiltPrograms.pgarchiveWAL(), ["push"] + arguments).run()
        #expect(result.status == 2)
        #expect(result.error.hasPrefix("error: "))
        #expect(result.error.contains("\nhint: "))
    }
}
