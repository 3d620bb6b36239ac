import ArchiveTesting
import Foundation
import Testing

/// The chain of WAL is checked, repaired from the upstream, and salvaged.
@Suite(
    "Verify",
    .enabled(if: TestEnvironment.hasPostgres, TestEnvironment.noPostgres),
    .keepsEvidence
)
struct VerifyScenarios {
    private func findings(_ result: CommandResult) throws -> [JSONValue] {
        try #require(JSONValue(result.output)?["findings"], "\(result)").array
    }

    /// A bit is flipped in one segment and another is deleted, between two snapshots.
    @Test func damageIsFoundSalvagedAndRepaired() throws {
        try TestArchive.with(TestArchive.Options()) { archive in
            try archive.upstream.sql("alter system set wal_keep_size = '512MB'; select pg_reload_conf()")
            try archive.upstream.sql("create table t (n int, filler text)")
            try archive.replayEverything()
            let first = try archive.takeSnapshot()
            try archive.upstream.sql("insert into t values (1, 'before')")
            try archive.switchAndReceive()
            try archive.upstream.sql("insert into t select 2, repeat('x', 500) from generate_series(1, 3000)")
            let damaged = try archive.upstream.sql("select pg_walfile_name(pg_current_wal_lsn())")
            try archive.upstream.sql("insert into t select 3, repeat('x', 500) from generate_series(1, 4000)")
            let third = try archive.upstream.sql("select clock_timestamp()")
            try archive.switchAndReceive()
            try archive.upstream.sql("insert into t values (4, 'after')")
            // The standby's next restartpoint, and with it the next snapshot's redo, lies behind the damage.
            try archive.upstream.sql("checkpoint")
            try archive.replayEverything()
            let second = try archive.takeSnapshot()
            try #expect(archive.pgarchive("wal_archive", "verify", "--deep").output.contains("no findings"))

            let segment = "\(archive.walArchive)/\(damaged)"
            var bytes = try Data(contentsOf: URL(fileURLWithPath: segment))
            let good = bytes
            bytes[700_000] ^= 4
            try SpoiltFile.write(bytes, to: segment)
            let gone = try #require(archive.archivedSegments().first { $0 > damaged })
            let content = FileManager.default.contents(atPath: "\(archive.walArchive)/\(gone)")
            try FileManager.default.removeItem(atPath: "\(archive.walArchive)/\(gone)")

            let verified = try archive.pgarchive.run("wal_archive", "verify", "--deep", "--output", "json")
            #expect(verified.status == 10)
            let found = try findings(verified)
            #expect(found.compactMap { $0["segment"]?.string }.sorted() == [damaged, gone], "\(verified)")
            for finding in found {
                let cost = finding["costs"]?.array.first
                #expect(cost?["nextSnapshot"]?.string == second.name, "\(verified)")
                #expect(finding["lostSnapshots"]?.array.isEmpty == true)
            }
            let text = try archive.pgarchive.run("wal_archive", "verify", "--deep")
            #expect(text.output.contains("where snapshot '\(second.name)' begins"), "\(text)")
            let status = try archive.pgarchive("container", "status")
            #expect(status.output.contains("2 findings"), "\(status)")

            try salvage(archive, first: first.name, second: second.name)
            try repair(archive, [damaged: good, gone: try #require(content)])
            // What was lost can be reached again.
            try archive.pgarchive("clone", "create", "lost", "--at", third, "--start")
            try #expect(archive.query("lost", "select max(n) from t") == "3")
            // What a user does after a look.
            try FileManager.default.removeItem(atPath: "\(archive.walArchive)/quarantine")
            try archive.finish()
        }
    }

    /// The commands that salvage prints make the clones that it promises.
    private func salvage(_ archive: TestArchive, first: String, second: String) throws {
        let result = try archive.pgarchive.run("wal_archive", "salvage", "--output", "json")
        #expect(result.status == 10)
        let stretches = try #require(JSONValue(result.output)?["stretches"]).array
        let before = try #require(stretches.first, "\(result)")
        let after = try #require(stretches.last)
        #expect(before["snapshots"]?.array.last?["name"]?.string == first, "\(result)")
        #expect(after["snapshots"]?.array.map { $0["name"]?.string } == [second], "\(result)")
        for (name, command) in [("last", before["lastMoment"]), ("next", after["firstMoment"])] {
            let words = try #require(command?.string, "\(result)").split(separator: " ").map(String.init)
            let arguments = words.dropFirst().map { $0 == "NAME" ? name : $0 } + ["--start"]
            try archive.pgarchive.succeed(Array(arguments), deadline: 120)
        }
        try #expect(archive.query("last", "select max(n) from t") == "2")
        try #expect(archive.query("next", "select max(n) from t") == "4")
        for name in ["last", "next"] { try archive.discard(name) }
    }

    private func repair(_ archive: TestArchive, _ good: [String: Data]) throws {
        let receiver = try #require(archive.receivers.first)
        let slots = try archive.upstream.sql("select restart_lsn, active_pid from pg_replication_slots")
        let dry = try archive.pgarchive.run("wal_archive", "verify", "--deep", "--repair", "--dry-run")
        #expect(dry.status == 10 && dry.output.contains("would "), "\(dry)")
        try archive.pgarchive("wal_archive", "verify", "--deep", "--repair")
        for (name, bytes) in good {
            #expect(FileManager.default.contents(atPath: "\(archive.walArchive)/\(name)") == bytes, "\(name)")
        }
        try #expect(archive.upstream.sql("select restart_lsn, active_pid from pg_replication_slots") == slots)
        #expect(archive.receivers.first == receiver)
        try #expect(archive.pgarchive("container", "status").output.contains("no findings"))
        let listing = try archive.pgarchive("wal_archive", "list")
        #expect(!listing.output.contains("quarantine"), "\(listing)")
    }

    /// What the upstream no longer has is said, with its cost, and nothing is changed.
    @Test func whatCannotBeRepairedIsSaid() throws {
        try TestArchive.with(TestArchive.Options()) { archive in
            try archive.replayEverything()
            _ = try archive.takeSnapshot()
            for _ in 1...3 {
                try archive.upstream.sql("create table if not exists t (n int); insert into t values (1)")
                try archive.switchAndReceive()
            }
            try archive.replayEverything()
            let gone = try #require(archive.archivedSegments().dropLast(2).last)
            try FileManager.default.removeItem(atPath: "\(archive.walArchive)/\(gone)")
            try FileManager.default.removeItem(atPath: "\(archive.upstream.data)/pg_wal/\(gone)")
            let result = try archive.pgarchive.run("wal_archive", "verify", "--repair")
            #expect(result.status == 10)
            #expect(result.output.contains("not repaired: \(gone)") && result.output.contains("removed"), "\(result)")
            #expect(result.output.contains("costs:"))
        }
    }

    /// No false alarm, whatever goes on beside it.
    @Test func nothingIsFoundWhileAllGoesOn() throws {
        var options = TestArchive.Options()
        options.pgbenchScale = 1
        try TestArchive.with(options) { archive in
            let load = try archive.upstream.startPgbench(seconds: 25, clients: 4)
            var runs = 0
            while load.isRunning {
                let jobs = try [
                    archive.pgarchive.start("cron", "compress-wal-archive", "2"),
                    archive.pgarchive.setting("EXPIRE_DATE", "now").start("snapshot", "expire"),
                    archive.pgarchive.start("snapshot", "create", "--force"),
                ]
                for arguments in [["--deep"], [], ["--deep"], []] {
                    let result = try archive.pgarchive.run(["wal_archive", "verify"] + arguments)
                    #expect(result.status == 0, "\(result)")
                    runs += 1
                }
                for job in jobs { _ = try job.wait() }
            }
            try load.wait()
            #expect(runs >= 4)
            try archive.upstream.changeTimeline()
            try archive.upstream.sql("create table on_timeline_2 (n int)")
            try archive.replayEverything()
            let result = try archive.pgarchive.run("wal_archive", "verify", "--deep")
            #expect(result.status == 0 && result.output.contains("timeline 2"), "\(result)")
            try archive.finish()
        }
    }
}
