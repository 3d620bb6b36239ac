import ArchiveTesting
import Foundation
import Testing

/// What goes out of an archive, and what comes into it, besides the stream.
@Suite(
    "Copies, and segments from elsewhere",
    .enabled(if: TestEnvironment.hasPostgres, TestEnvironment.noPostgres),
    .keepsEvidence
)
struct CopyScenarios {
    /// Each copy gets every file once, in order, whatever happens to the other, to itself or to the supervisor.
    @Test func everyCopyGetsEverySegmentOnceAndInOrder() throws {
        try TestArchive.with(TestArchive.Options()) { archive in
            // One kept segment is compressed already, and from before the copies.
            try archive.replayEverything()
            _ = try archive.takeSnapshot()
            try archive.pgarchive("cron", "compress-wal-archive", "1")
            let tape = try archive.directory.subdirectory("tape")
            let shelf = try archive.directory.subdirectory("shelf")
            let broken = "\(shelf)/broken"
            try SpoiltFile.write("", to: broken)
            try archive.configureCopies([
                ("tape", "cp %p %d/%f && echo %f >> %d/order", tape),
                (
                    "shelf",
                    "test ! -e %d/broken || { echo no shelf; exit 3; }; cp %p %d/%f && echo %f >> %d/order", shelf
                ),
            ])
            try archive.switchAndReceive()
            try eventually(within: 30, "the tape has everything") { archive.isCopied(to: tape) }

            // The other one says why it fails, and turns the status red.
            try eventually(within: 30, "the failure is shown") {
                try archive.pgarchive.run("container", "status").output.contains("no shelf")
            }
            try #expect(archive.pgarchive.run("container", "status").status == 1)
            // What it has not got stays, though nothing else needs it.
            let kept = archive.archivedSegments()
            for _ in 1...2 { _ = try archive.takeAnotherSnapshot() }
            try archive.pgarchive.setting("EXPIRE_DATE", "1 second ago").succeed(["snapshot", "expire"])
            #expect(Set(kept).isSubset(of: archive.archivedSegments()))

            // Killed with everything, it goes on where it was.
            for process in archive.guardians + archive.supervisors { kill(process.pid, SIGKILL) }
            try TestCommand("/bin/rm", [broken]).succeed()
            try eventually(within: 20, "they are gone") { archive.supervisors.isEmpty && archive.guardians.isEmpty }
            try archive.pgarchive("container", "start")
            try archive.switchAndReceive()
            try eventually(within: 60, "the shelf has everything") { archive.isCopied(to: shelf) }
            try eventually(within: 60, "the tape too") { archive.isCopied(to: tape) }
            for place in [tape, shelf] {
                let order = try String(contentsOfFile: "\(place)/order", encoding: .utf8).split(separator: "\n")
                #expect(order == order.sorted() && Set(order).count == order.count, "\(place): \(order)")
            }
            for name in archive.archivedSegments() {
                try #expect(
                    Data(contentsOf: URL(fileURLWithPath: "\(tape)/\(name)"))
                        == Data(contentsOf: URL(fileURLWithPath: "\(archive.upstream.copies)/\(name)"))
                )
            }
            try #expect(archive.pgarchive.run("container", "status").status == 0)
            try archive.pgarchive.setting("EXPIRE_DATE", "1 second ago").succeed(["snapshot", "expire"])
            #expect(!Set(kept).isSubset(of: archive.archivedSegments()))
            try archive.finish()
        }
    }

    /// Dead between any two steps of a copy: afterwards everything is copied, and marked so.
    @Test(arguments: FaultPoints.copyProgram)
    func aCopyThatDied(_ moment: String) throws {
        try TestArchive.with(TestArchive.Options()) { archive in
            let tape = try archive.directory.subdirectory("tape")
            try archive.pgarchive("container", "stop")
            try archive.configureCopies([("tape", "cp %p %d/%f", tape)])
            let died = try archive.pgarchive.setting("PGARCHIVE_FAULT", "\(moment)=exit").run("container", "run")
            #expect(died.status == 86, "\(died)")
            try archive.pgarchive("container", "start")
            try archive.switchAndReceive()
            try eventually(within: 30, "everything is copied") { archive.isCopied(to: tape) }
            try archive.finish()
        }
    }

    /// A segment that was moved away is brought back when a clone needs it; what is not that segment is refused.
    @Test func whatIsNoLongerHereIsBroughtBack() throws {
        try TestArchive.with(TestArchive.Options()) { archive in
            let oracle = try Oracle(archive.upstream)
            try archive.replayEverything()
            _ = try archive.takeSnapshot()
            var names: [String] = []
            for _ in 1...4 {
                _ = try oracle.writeRow("in a segment of its own")
                names.append(try archive.switchAndReceive())
            }
            let row = try oracle.writeRow("after them")
            try archive.replayEverything()
            let shelf = try archive.directory.subdirectory("shelf")
            for name in names[1...2] {
                try TestCommand("/bin/mv", ["\(archive.walArchive)/\(name)", "\(shelf)/\(name)"]).succeed()
            }
            let clone = ["clone", "create", "back", "--latest", "--start"]
            expectRefusal(try archive.pgarchive.run(clone), status: 4, mentions: names[1])

            try archive.set("restore_program", "cp \(shelf)/%f %p")
            // Somebody mixed the tapes up.
            let swap = "cd '\(shelf)' && mv \(names[1]) x && cp \(names[2]) \(names[1])"
            try TestCommand("/bin/sh", ["-c", swap]).succeed()
            expectRefusal(try archive.pgarchive.run(clone), status: 9, mentions: "is not that segment")
            try TestCommand("/bin/sh", ["-c", "cd '\(shelf)' && mv x \(names[1])"]).succeed()
            try archive.pgarchive.succeed(clone)
            try #expect(archive.query("back", "select max(id) from oracle") == "\(row.id)")
            #expect(Set(names).isSubset(of: archive.archivedSegments()))
            try archive.finish()
        }
    }

    /// Bad ones and missing ones come from the copies where the upstream cannot give them; the copies get them anew.
    @Test func aRepairAsksTheRestoreProgram() throws {
        try TestArchive.with(TestArchive.Options()) { archive in
            try archive.replayEverything()
            _ = try archive.takeSnapshot()
            let tape = try archive.directory.subdirectory("tape")
            try archive.configureCopies([("tape", "cp %p %d/%f", tape)])
            var names: [String] = []
            for _ in 1...5 { names.append(try archive.switchAndReceive()) }
            try eventually(within: 30, "everything is copied") { archive.isCopied(to: tape) }
            let good = archive.upstream.copies
            // It was bad before it was copied.
            for place in [archive.walArchive, tape] {
                var bytes = try Data(contentsOf: URL(fileURLWithPath: "\(good)/\(names[1])"))
                bytes[100] ^= 1
                try SpoiltFile.write(bytes, to: "\(place)/\(names[1])")
            }
            try TestCommand("/bin/rm", ["\(archive.walArchive)/\(names[3])"]).succeed()
            try archive.upstream.stop()
            try #expect(archive.pgarchive.run("wal_archive", "verify", "--deep", "--repair").status == 10)
            // Another segment under the name is not taken.
            try archive.set("restore_program", "cp \(good)/\(names[0]) %p")
            try #expect(archive.pgarchive.run("wal_archive", "verify", "--deep", "--repair").status == 10)
            try archive.set("restore_program", "cp \(good)/%f %p")
            let repaired = try archive.pgarchive.run("wal_archive", "verify", "--deep", "--repair")
            #expect(repaired.status == 0, "\(repaired)")
            #expect(repaired.output.contains("brought back \(names[3]) by wal.restore_program"), "\(repaired)")
            for name in [names[1], names[3]] {
                try #expect(
                    TestCommand("/usr/bin/cmp", ["\(archive.walArchive)/\(name)", "\(good)/\(name)"]).run().status == 0
                )
            }
            try eventually(within: 60, "the copy has the right one") {
                try TestCommand("/usr/bin/cmp", ["\(tape)/\(names[1])", "\(good)/\(names[1])"]).run().status == 0
            }
            // Looked at, and removed by hand.
            try TestCommand("/bin/rm", ["-r", "\(archive.walArchive)/quarantine"]).succeed()
            try archive.upstream.start()
            try archive.finish()
        }
    }

    /// Another archive of the same cluster, in all forms that there are; others' files are refused one by one.
    @Test func anExistingArchiveIsAdopted() throws {
        try TestArchive.with(TestArchive.Options()) { archive in
            try archive.replayEverything()
            _ = try archive.takeSnapshot()
            let old = try archive.directory.subdirectory("old")
            var names: [String] = []
            for _ in 1...4 { names.append(try archive.switchAndReceive()) }
            let copies = archive.upstream.copies
            let forms = """
                cd '\(old)' && cp '\(copies)/\(names[0])' . && gzip -c '\(copies)/\(names[1])' > \(names[1]).gz
                cp '\(copies)/\(names[2])' '\(names[3]).partial' && cp '\(copies)/\(names[2])' \(names[3])
                echo notes > README
                """
            try TestCommand("/bin/sh", ["-c", forms]).succeed()
            // Of a copy that was promoted once: nothing says so but its number.
            let promoted = "00000002" + names[0].dropFirst(8)
            for (name, text) in [("00000002.history", "1\t0/5000000\tno\n"), (promoted, "WAL"), ("\(promoted).gz", "")]
            {
                try SpoiltFile.write(text, to: "\(old)/\(name)")
            }
            // What cannot be read is refused alone, and the rest adopted.
            let unreadable = "\(names[2].dropLast())F.gz"
            try TestCommand("/bin/mkdir", ["\(old)/\(unreadable)"]).succeed()
            let plan = try archive.pgarchive.run("wal_archive", "import", old, "--dry-run", "--output", "json")
            #expect(plan.status == 10, "\(plan)")
            #expect(JSONValue(plan.output)?.find("adopted")?.array.compactMap(\.string) == [unreadable], "\(plan)")

            for name in names[0...1] { try TestCommand("/bin/rm", ["\(archive.walArchive)/\(name)"]).succeed() }
            let outcome = try archive.pgarchive.run("wal_archive", "import", old)
            #expect(outcome.status == 10, "\(outcome)")
            #expect(outcome.error.contains("README") && outcome.error.contains("\(names[3]).partial"), "\(outcome)")
            for refused in [names[3], "00000002.history", promoted, "\(promoted).gz", unreadable] {
                #expect(outcome.error.contains("\(refused): "), "\(refused): \(outcome)")
            }
            #expect(Set(names).isSubset(of: archive.archivedSegments()))
            let files = try FileManager.default.contentsOfDirectory(atPath: archive.walArchive)
            #expect(!files.contains { $0.hasPrefix("00000002") }, "\(files)")
            // What was compressed is so again, and the same.
            #expect(files.contains("\(names[1]).zst"))
            for sentence in try InvariantsChecker(archive).archivedBytesDiffer() { Issue.record("\(sentence)") }
            try TestCommand("/bin/rmdir", ["\(old)/\(unreadable)"]).succeed()
            try #expect(
                JSONValue(archive.pgarchive.run("wal_archive", "import", old, "--dry-run", "--output", "json").output)?
                    .find("adopted")?.array.isEmpty == true
            )
            // Nothing was led astray.
            try archive.replayEverything()
            try archive.finish()
        }
    }

    @Test(arguments: ["lz4", "zstd"])
    func aCompressedArchiveIsAdopted(_ program: String) throws {
        let suffix = program == "lz4" ? "lz4" : "zst"
        try TestArchive.with(TestArchive.Options()) { archive in
            try archive.replayEverything()
            _ = try archive.takeSnapshot()
            let old = try archive.directory.subdirectory("old")
            let names = try (1...3).map { _ in try archive.switchAndReceive() }
            let copies = archive.upstream.copies
            for name in names {
                let pack = "command -v \(program) && \(program) -c '\(copies)/\(name)' > '\(old)/\(name).\(suffix)'"
                guard try TestCommand("/bin/sh", ["-c", pack]).run().status == 0 else {
                    try Test.cancel("needs \(program)")
                }
                try TestCommand("/bin/rm", ["\(archive.walArchive)/\(name)"]).succeed()
            }
            // One that is cut is refused, and mended later.
            let whole = try Data(contentsOf: URL(fileURLWithPath: "\(old)/\(names[1]).\(suffix)"))
            try SpoiltFile.write(whole.dropLast(20), to: "\(old)/\(names[1]).\(suffix)")
            let outcome = try archive.pgarchive.run("wal_archive", "import", old)
            #expect(outcome.status == 10, "\(outcome)")
            #expect(outcome.error.contains("\(names[1]).\(suffix): "), "\(outcome)")
            try SpoiltFile.write(whole, to: "\(old)/\(names[1]).\(suffix)")
            try archive.pgarchive("wal_archive", "import", old)
            #expect(Set(names).isSubset(of: archive.archivedSegments()))
            for sentence in try InvariantsChecker(archive).archivedBytesDiffer() { Issue.record("\(sentence)") }
            try archive.pgarchive("wal_archive", "verify", "--deep")
            try archive.finish()
        }
    }
}

extension TestArchive {
    fileprivate func configureCopies(_ copies: [(name: String, program: String, destination: String)]) throws {
        let settings = "\(path)/pgarchive.toml"
        let text = try String(contentsOfFile: settings, encoding: .utf8)
        let stanzas = copies.map { copy in
            "\n[[wal.copy]]\nname = \"\(copy.name)\"\nprogram = \"\(copy.program)\"\ndest = \"\(copy.destination)\"\n"
        }
        try SpoiltFile.write(text + stanzas.joined(), to: settings)
    }

    fileprivate func set(_ key: String, _ value: String) throws {
        let settings = "\(path)/pgarchive.toml"
        let lines = try String(contentsOfFile: settings, encoding: .utf8).split(
            separator: "\n",
            omittingEmptySubsequences: false
        ).map { $0.hasPrefix("\(key) = ") ? "\(key) = \"\(value)\"" : String($0) }
        try SpoiltFile.write(lines.joined(separator: "\n"), to: settings)
    }

    fileprivate func isCopied(to place: String) -> Bool {
        let there = Set((try? FileManager.default.contentsOfDirectory(atPath: place)) ?? [])
        return Set(archivedSegments()).isSubset(of: there)
    }

    /// With a checkpoint, so that older WAL is needed by nothing but older snapshots.
    fileprivate func takeAnotherSnapshot() throws -> String {
        try upstream.sql("checkpoint")
        try replayEverything()
        return try takeSnapshot().name
    }
}
