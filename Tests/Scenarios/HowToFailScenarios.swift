import ArchiveTesting
import Foundation
import Testing

/// The four ways to fail that were found in the first tests of PostgreSQL's recovery from archives, in July 2004, done
/// again in today's terms: docs/how-to-fail.md tells them.
@Suite(
    "How to Fail",
    .enabled(if: TestEnvironment.hasPostgres, TestEnvironment.noPostgres),
    .keepsEvidence
)
struct HowToFailScenarios {
    /// `cp` takes a directory that is not there for a file: each segment overwrites the one before.
    @Test("How to Fail 1: an archive directory that does not exist") func howToFail1() throws {
        try TestDirectory.with { directory in
            let archive = try directory.subdirectory("mnt") + "/archive"
            var options = TestPostgres.Options()
            options.archives = false
            options.settings = ["archive_mode": "on", "archive_command": "'cp %p \(archive)'"]
            try TestPostgres.with(in: directory, options: options) { server in
                try server.sql("create table t (n int)")
                for n in 1...3 {
                    try server.sql("insert into t values (\(n))")
                    try server.waitUntilArchived(server.switchSegment())
                }
                // PostgreSQL was told each time that its segment is safe, and a single file is left of them.
                let told = try server.archived()
                #expect(told.count >= 3 && told.failed == 0)
                var isDirectory: ObjCBool = true
                #expect(FileManager.default.fileExists(atPath: archive, isDirectory: &isDirectory))
                #expect(!isDirectory.boolValue)

                // Now the same with push: first that file, then nothing at all in its place.
                let fromCp = try #require(FileManager.default.contents(atPath: archive))
                try server.append(PlainArchive.pushCommand(to: archive))
                try server.sql("select pg_reload_conf(); insert into t values (4)")
                let first = try server.switchSegment()
                try eventually(within: 60, "push says that it is a file") {
                    server.log.contains("the archive \(archive) is a file")
                }
                #expect(FileManager.default.contents(atPath: archive) == fromCp)
                try FileManager.default.removeItem(atPath: archive)
                try server.sql("insert into t values (5)")
                let second = try server.switchSegment()
                try eventually(within: 90, "push says that it is not there") {
                    server.log.contains("push never makes one")
                }
                #expect(!FileManager.default.fileExists(atPath: archive))
                try #expect(server.archived().last < first && server.archived().failed > 0)

                // Nothing was lost: the server has kept what could not be archived, and it comes now.
                try TestCommand("/bin/mkdir", [archive]).succeed()
                try server.sql("insert into t values (6)")
                let third = try server.switchSegment()
                try server.waitUntilArchived(third)
                try #expect(PlainArchive.segments(archive) == [first, second, third])
                let verified = try PlainArchive.verify(archive, home: directory.path)
                #expect(verified.status == 0, "\(verified)")
            }
        }
    }

    /// The base backup recovers with the WAL that came with it, and goes its own way under the archive's names.
    @Test("How to Fail 2: a backup that is started without recovery settings") func howToFail2() throws {
        try TestArchive.with(TestArchive.Options()) { archive in
            let upstream = archive.upstream
            let oracle = try Oracle(upstream)
            try archive.replayEverything()
            _ = try archive.takeSnapshot()
            try archive.pgarchive("wal_archive", "stop")
            try archive.ingest("push")
            try archive.pgarchive("container", "start")
            // a) and the chain behind it
            let backup = "\(archive.directory.path)/backup"
            try upstream.baseBackup(to: backup)
            var last = try oracle.writeRow("in the chain")
            for _ in 1...4 {
                last = try oracle.writeRow("in the chain, after the backup")
                try upstream.switchSegment()
            }
            let end = try upstream.sql("select pg_walfile_name(pg_current_wal_lsn() - 1)")
            try upstream.waitUntilArchived(end)
            let chain = try PlainArchive.files(archive.walArchive).filter { $0.key.count == 24 }

            // b) no recovery.signal; c) crash recovery; d) a segment is filled; e) is archived by the same command
            try ServerByHand.with(backup: backup, of: upstream, in: archive.directory) { restored in
                try #expect(restored.sql("select pg_is_in_recovery()") == "f", "\(restored.log)")
                try #expect(Int(restored.sql("select max(id) from oracle")) ?? 0 < last.id)
                try restored.sql("insert into oracle (note) values ('not of this chain')")
                let segment = try restored.sql("select pg_walfile_name(pg_switch_wal())")
                #expect(chain[segment] != nil, "\(segment) is in the middle of the chain: \(chain.keys.sorted())")
                try eventually(within: 90, "push refuses the segment") {
                    restored.log.contains("has other content from") && restored.log.contains("nothing was overwritten")
                }
                try #expect(restored.sql("select failed_count > 0 from pg_stat_archiver") == "t")
                // Both are kept: the archive's, and the other server's, in its pg_wal and as evidence.
                let other = FileManager.default.contents(atPath: "\(restored.data)/pg_wal/\(segment)")
                #expect(other != nil && other != chain[segment])
                let evidence = FileManager.default.contents(atPath: "\(archive.walArchive)/\(segment).conflict-1")
                #expect(evidence == other)
                // Into a plain directory it is the same.
                let plain = try archive.directory.subdirectory("plain")
                try TestCommand("/bin/cp", ["\(archive.walArchive)/\(segment)", plain]).succeed()
                let push = try BuiltPrograms.pgarchiveWAL()
                let pushed = try TestCommand(push, ["push", "--to", plain, "\(restored.data)/pg_wal/\(segment)"]).run()
                #expect(pushed.status == 7, "\(pushed)")
                #expect(FileManager.default.contents(atPath: "\(plain)/\(segment)") == chain[segment])
            }

            let now = try PlainArchive.files(archive.walArchive)
            for (name, bytes) in chain { #expect(now[name] == bytes, "\(name)") }
            let verified = try archive.pgarchive("wal_archive", "verify", "--deep")
            #expect(verified.output.contains("no findings"), "\(verified)")
            let status = try archive.pgarchive.run(["wal_archive", "status"])
            #expect(status.output.contains("a second time with other content"), "\(status)")
            try archive.pgarchive("clone", "create", "end", "--latest", "--start", deadline: 120)
            try #expect(archive.query("end", "select max(id) from oracle") == "\(last.id)")
            try #expect(archive.query("end", "select count(*) from oracle where note like 'not%'") == "0")
            try archive.endWithoutComparison()
        }
    }

    /// What fills while archive_mode is off is never archived: a hole.
    @Test("How to Fail 3: archive_mode off and on again") func howToFail3() throws {
        try TestArchive.with(TestArchive.Options()) { archive in
            let upstream = archive.upstream
            let oracle = try Oracle(upstream)
            try archive.replayEverything()
            let snapshot = try archive.takeSnapshot()
            try archive.pgarchive("wal_archive", "stop")
            try archive.ingest("push")
            try archive.pgarchive("container", "start")
            try upstream.sql("select pg_drop_replication_slot(slot_name) from pg_replication_slots")
            let before = try oracle.writeRow("before the hole")
            try upstream.waitUntilArchived(upstream.switchSegment())

            let (lost, inside) = try upstream.turnArchivingOffAndOn(oracle: oracle)
            _ = try oracle.writeRow("behind the hole")
            let behind = try oracle.writeRow("behind the hole")
            _ = try oracle.writeRow("behind the hole")
            try upstream.waitUntilArchived(upstream.switchSegment())

            // The standby waits before the hole, and says for what.
            let first = try #require(lost.first)
            try eventually(within: 60, "status names \(first), which is missing") {
                try archive.pgarchive.run(["container", "status"]).output.contains(first)
            }
            let verified = try archive.pgarchive.run(["wal_archive", "verify"])
            #expect(verified.status == 10, "\(verified)")
            try #expect(lost.allSatisfy(Self.missing(verified).contains), "\(verified)")
            #expect(verified.output.contains("missing") && verified.output.contains("costs:"), "\(verified)")
            let window = try archive.pgarchive("window")
            #expect(window.output.contains("gap"), "\(window)")
            let salvage = try archive.pgarchive.run(["wal_archive", "salvage"])
            #expect(salvage.status == 10 && salvage.output.contains(snapshot.name), "\(salvage)")
            // Told before any work, with what can be reached instead; and that is so.
            var nearest: Set<String> = []
            for moment in [before.after, inside.after, behind.after] {
                let refused = try archive.pgarchive.run("clone", "create", "no", "--at", moment, "--start")
                expectRefusal(refused, status: 4, mentions: "WAL is missing")
                let hint = try #require(refused.error.firstMatch(of: /the nearest target is (--lsn \S+)/), "\(refused)")
                nearest.insert(String(hint.1))
            }
            #expect(nearest.count == 1)
            try #expect(archive.pgarchive("clone", "list", "--quiet").output.isEmpty)
            let words = try #require(nearest.first).split(separator: " ").map(String.init)
            try archive.pgarchive.succeed(["clone", "create", "last"] + words + ["--start"], deadline: 120)
            try #expect(archive.query("last", "select max(id) from oracle") == "\(before.id)")
            try archive.endWithoutComparison()
        }
    }

    /// The segments that a finding says are missing.
    private static func missing(_ verified: CommandResult) throws -> ClosedRange<String> {
        let match = try #require(
            verified.output.firstMatch(of: /missing: .*?([0-9A-F]{24})(?: to ([0-9A-F]{24}))?/),
            "\(verified)"
        )
        return String(match.1)...String(match.2 ?? match.1)
    }

    /// The same, where WAL is streamed: the receiver does not care, and a plain directory beside it has the hole.
    @Test("How to Fail 3, with a receiver: harmless") func howToFail3Streamed() throws {
        var options = TestArchive.Options()
        options.upstream.archives = false
        options.upstream.settings = ["archive_mode": "on", "archive_command": "'/bin/true'"]
        try TestArchive.with(options) { archive in
            let upstream = archive.upstream
            let oracle = try Oracle(upstream)
            let plain = try archive.directory.subdirectory("plain")
            try upstream.append(PlainArchive.pushCommand(to: plain))
            try upstream.sql("select pg_reload_conf()")
            _ = try archive.takeSnapshot()
            _ = try oracle.writeRow("before")
            try upstream.waitUntilArchived(upstream.switchSegment())
            let (lost, inside) = try upstream.turnArchivingOffAndOn(oracle: oracle)
            let last = try oracle.writeRow("behind")
            let end = try upstream.switchSegment()
            try upstream.waitUntilArchived(end)
            try eventually(within: 60, "\(end) is received") { archive.archivedSegments().contains(end) }

            let holed = try PlainArchive.verify(plain, home: archive.home)
            #expect(holed.status == 10, "\(holed)")
            try #expect(lost.allSatisfy(Self.missing(holed).contains), "\(holed)")
            #expect(Set(lost).isSubset(of: archive.archivedSegments()))
            try archive.pgarchive("wal_archive", "verify", "--deep")
            try archive.pgarchive("clone", "create", "inside", "--at", inside.after, "--start", deadline: 120)
            try #expect(archive.query("inside", "select max(id) from oracle") == "\(inside.id)")
            try archive.pgarchive("clone", "create", "now", "--latest", "--start", deadline: 120)
            try #expect(archive.query("now", "select max(id) from oracle") == "\(last.id)")
            try archive.endWithoutComparison()
        }
    }

    /// Every segment has the same size, whatever is in it.
    @Test("How to Fail 4: full-size segments that hold a break") func howToFail4() throws {
        try TestDirectory.with { directory in
            try TestPostgres.with(in: directory) { server in
                try server.sql("create table t (n int, filler text)")
                let backup = "\(directory.path)/backup"
                try server.baseBackup(to: backup)
                // One is switched away from in its middle: as large as the others, and no break.
                var names: [String] = []
                for n in 1...5 {
                    try server.sql("insert into t select \(n), repeat('x', 500) from generate_series(1, 800)")
                    try names.append(server.switchAndArchive())
                }
                let whole = try PlainArchive.verify(server.copies, home: directory.path)
                #expect(whole.status == 0, "\(whole)")
                let victim = names[2]
                let good = try #require(FileManager.default.contents(atPath: "\(server.copies)/\(victim)"))
                let old = try #require(FileManager.default.contents(atPath: "\(server.copies)/\(names[0])"))
                let middle = 200_000
                let breaks: [(String, Data)] = [
                    ("zeros from its middle on", good.prefix(middle) + Data(count: good.count - middle)),
                    ("recycled, with old content from its middle on", good.prefix(middle) + old.dropFirst(middle)),
                    ("recycled, and never written", old),
                    ("zeros only", Data(count: good.count)),
                ]
                for (what, bytes) in breaks {
                    #expect(bytes.count == good.count)
                    try checkBreak(what, bytes, victim, server, directory, backup: backup)
                    try SpoiltFile.write(good, to: "\(server.copies)/\(victim)")
                }
                // Whole again, all of it is replayed.
                try recover(server, directory, backup: backup, by: Self.fetchCommand(server)) { restored in
                    try eventually(within: 60, "recovery ends") {
                        try restored.sql("select pg_is_in_recovery()") == "f"
                    }
                    try #expect(restored.sql("select max(n) from t") == "5")
                }
            }
        }
    }

    private static func fetchCommand(_ server: TestPostgres) throws -> String {
        "\(try BuiltPrograms.pgarchiveWAL()) fetch --from \(server.copies) \"%f\" \"%p\""
    }

    private func recover(
        _ server: TestPostgres,
        _ directory: TestDirectory,
        backup: String,
        by command: String,
        _ body: (ServerByHand) throws -> Void
    ) throws {
        let settings = "archive_mode = off\nrestore_command = '\(command)'"
        try ServerByHand.with(
            backup: backup,
            of: server,
            in: directory,
            settings: settings,
            signal: "recovery.signal",
            body
        )
    }

    private func checkBreak(
        _ what: String,
        _ bytes: Data,
        _ name: String,
        _ server: TestPostgres,
        _ directory: TestDirectory,
        backup: String
    ) throws {
        // It would not have come into the archive,
        let empty = try directory.subdirectory("to-\(UInt32.random(in: 0...UInt32.max))")
        let file = "\(empty).wal/\(name)"
        try TestCommand("/bin/mkdir", ["\(empty).wal"]).succeed()
        try SpoiltFile.write(bytes, to: file)
        let push = try TestCommand(try BuiltPrograms.pgarchiveWAL(), ["push", "--to", empty, file]).run()
        #expect(push.status == 9 || push.status == 4, "\(what): \(push)")
        try #expect(PlainArchive.segments(empty).isEmpty, "\(what)")
        // in the archive it is found,
        try SpoiltFile.write(bytes, to: "\(server.copies)/\(name)")
        let verified = try PlainArchive.verify(server.copies, home: directory.path)
        #expect(verified.status == 10 && verified.output.contains(name), "\(what): \(verified)")
        // and it is not replayed: recovery ends with an error,
        try recover(server, directory, backup: backup, by: Self.fetchCommand(server)) { restored in
            try eventually(within: 90, "\(what): recovery ends") { !restored.isRunning }
            #expect(restored.log.contains("FATAL"), "\(what): \(restored.log)")
            #expect(restored.log.contains(name), "\(what): \(restored.log)")
            #expect(!restored.log.contains("ready to accept connections"), "\(what): \(restored.log)")
        }
        // where with cp it ends in the middle, as if that were the end, and the rest is lost without a word.
        try recover(server, directory, backup: backup, by: "cp \(server.copies)/%f \"%p\"") { restored in
            try eventually(within: 90, "\(what): recovery by cp ends") {
                try restored.sql("select pg_is_in_recovery()") == "f"
            }
            try #expect(restored.sql("select max(n) < 5 from t") == "t", "\(what)")
        }
    }
}
