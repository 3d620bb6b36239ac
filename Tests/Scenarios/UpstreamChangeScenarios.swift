import ArchiveTesting
import Foundation
import Testing

/// What happens to an upstream, and what the archive makes of it.
@Suite(
    "Changes upstream",
    .enabled(if: TestEnvironment.hasPostgres, TestEnvironment.noPostgres),
    .keepsEvidence
)
struct UpstreamChangeScenarios {
    @Test func aHotStandbyParameterIsRaised() throws {
        try TestArchive.with(TestArchive.Options()) { archive in
            _ = try archive.takeSnapshot()
            try archive.upstream.sql(
                "alter system set max_connections = 150; alter system set max_prepared_transactions = 33"
            )
            try archive.upstream.restart()
            try archive.upstream.sql("create table after_raise as select 1 as n")
            try archive.switchAndReceive()
            try eventually(within: 60, "the standby follows with raised settings", every: 0.1) {
                try archive.standbySQL("select count(*) from pg_class where relname = 'after_raise'") == "1"
                    && archive.standbySQL("show max_connections") == "150"
                    && archive.standbySQL("show max_prepared_transactions") == "33"
            }
            try archive.pgarchive("container", "status")
            // A clone of the old snapshot crosses the change.
            try archive.pgarchive("clone", "create", "across", "--latest", "--start")
            try #expect(archive.query("across", "select n from after_raise") == "1")
            try archive.switchAndReceive()
            try archive.finish()
        }
    }

    @Test func aCleanShutdownIsNotHeldUpAndStreamingResumes() throws {
        try TestArchive.with(TestArchive.Options()) { archive in
            try archive.upstream.sql("create table t as select generate_series(1, 1000) as n")
            let seconds = try measured { try archive.upstream.stop(.fast) }
            #expect(seconds < 10, "the walsender waits for our acknowledgement of the shutdown checkpoint")
            // All parts run; that nothing can be received is said.
            try eventually(within: 60, "status says that the upstream is away", every: 0.1) {
                let away = try archive.pgarchive.run("container", "status")
                #expect(away.status == 0, "\(away)")
                return away.output.contains("retrying")
            }
            try archive.upstream.start()
            try archive.replayEverything()
            try archive.upstream.killHard()
            try archive.upstream.start()
            try archive.upstream.sql("insert into t values (0)")
            try archive.replayEverything()
            try #expect(archive.standbySQL("select count(*) from t") == "1001")
            try archive.finish()
        }
    }

    /// A planned switch of timelines: history stored, old tail kept, both sides of the fork reachable.
    @Test func aPlannedTimelineSwitch() throws {
        try TestArchive.with(TestArchive.Options()) { archive in
            let oracle = try Oracle(archive.upstream)
            try archive.replayEverything()
            _ = try archive.takeSnapshot()
            let before = try oracle.writeRow("on timeline 1")
            try archive.upstream.changeTimeline()
            let after = try oracle.writeRow("on timeline 2")
            try archive.upstream.switchAndArchive()
            try eventually(within: 60, "timeline 2 is received") {
                archive.archivedSegments().contains { $0.hasPrefix("00000002") }
            }
            #expect(FileManager.default.fileExists(atPath: "\(archive.walArchive)/00000002.history"))
            try eventually(within: 60, "the standby follows to timeline 2", every: 0.1) {
                try archive.standbySQL("select max(id) from oracle") == "\(after.id)"
            }
            try archive.pgarchive("container", "status")
            _ = try archive.takeSnapshot()
            try archive.pgarchive("clone", "create", "old", "--at", before.after, "--start")
            try #expect(archive.query("old", "select max(id) from oracle") == "\(before.id)")
            try archive.pgarchive("clone", "create", "new", "--latest", "--start")
            try #expect(archive.query("new", "select max(id) from oracle") == "\(after.id)")
            // A restored cluster may archive one day: it takes no timeline that is there already.
            let restored = try archive.pgarchive.json(
                "restore",
                "--to",
                "\(archive.directory.path)/restored",
                "--at",
                before.after
            )
            #expect(restored.find("timeline")?.number == 3, "\(restored)")
            try archive.finish()
        }
    }

    /// Used as a synchronous standby: a commit waits for our fsync, and for nobody when we run.
    @Test func commitsWaitForTheArchive() throws {
        try TestArchive.with(TestArchive.Options()) { archive in
            let path = "\(archive.path)/pgarchive.toml"
            let text = try String(contentsOfFile: path, encoding: .utf8)
            try SpoiltFile.write(Self.withSynchronous(text), to: path)
            try archive.pgarchive("wal_archive", "stop")
            try archive.pgarchive("wal_archive", "start")
            try eventually("the receiver is connected again") {
                try archive.upstream.sql("select count(*) from pg_stat_replication") == "1"
            }
            let name = try archive.upstream.sql("select application_name from pg_stat_replication")
            try archive.upstream.sql(
                "alter system set synchronous_standby_names = '\"\(name)\"'; select pg_reload_conf()"
            )
            try eventually("it is a synchronous standby") {
                try archive.upstream.sql("select sync_state from pg_stat_replication") == "sync"
            }
            let seconds = try measured {
                try archive.upstream.sql("create table waited (n int)")
                for n in 1...20 { try archive.upstream.sql("insert into waited values (\(n))") }
            }
            #expect(seconds < 20)
            let receiver = try #require(archive.receivers.first)
            Foundation.kill(receiver.pid, SIGSTOP)
            let waiting = try archive.upstream.startSession("insert into waited values (0)")
            try eventually("a commit waits") {
                try archive.upstream.sql("select count(*) from pg_stat_activity where wait_event = 'SyncRep'") == "1"
            }
            Foundation.kill(receiver.pid, SIGCONT)
            try #expect(waiting.wait(deadline: 30).status == 0)
            try archive.upstream.sql("alter system reset synchronous_standby_names; select pg_reload_conf()")
            try archive.switchAndReceive()
            try archive.finish()
        }
    }

    /// Whoever stops an archive that commits wait for learns what frees them.
    @Test func theStopOfASynchronousArchiveIsWarnedOf() throws {
        try TestArchive.with(TestArchive.Options()) { archive in
            let remedy = "ALTER SYSTEM RESET synchronous_standby_names; SELECT pg_reload_conf();"
            try #expect(!archive.pgarchive("wal_archive", "stop").error.contains(remedy))
            let path = "\(archive.path)/pgarchive.toml"
            let text = try String(contentsOfFile: path, encoding: .utf8)
            try SpoiltFile.write(Self.withSynchronous(text), to: path)
            for noun in ["wal_archive", "container"] {
                let stopped = try archive.pgarchive(noun, "stop")
                #expect(stopped.error.contains("until it runs again") && stopped.error.contains(remedy), "\(stopped)")
            }
            let purge = try archive.pgarchive.run("container", "purge")
            #expect(purge.error.contains("for ever") && purge.error.contains(remedy), "\(purge)")
            expectRefusal(purge, status: 4)
            try archive.pgarchive("container", "start")
            try archive.switchAndReceive()
            try archive.finish()
        }
    }

    /// The slot's retention holds WAL upstream while the disk is full; receiving goes on by itself.
    @Test(.enabled(if: TestEnvironment.canMount, TestEnvironment.noMount))
    func aFullDiskPausesAndResumes() throws {
        var options = TestArchive.Options(.tmpfs)
        options.megabytes = 300
        try TestArchive.with(options) { archive in
            try archive.upstream.sql("create table t (n int, filler text)")
            let filler = "\(archive.filesystem.path)/filler"
            _ = try TestCommand("/bin/dd", ["if=/dev/zero", "of=\(filler)", "bs=64k"]).run()
            for _ in 0..<4 {
                try archive.upstream.sql("insert into t select n, repeat('x', 500) from generate_series(1, 2000) n")
            }
            try archive.upstream.switchAndArchive()
            try eventually(within: 30, "status says that the disk is full") {
                let status = try archive.pgarchive.run("wal_archive", "status")
                return (status.output + status.error).contains("full")
            }
            try FileManager.default.removeItem(atPath: filler)
            try archive.replayEverything(within: 90)
            try archive.pgarchive("container", "status")
            try archive.finish()
        }
    }

    /// Commands that need a PostgreSQL of the container's major say so when it is gone.
    @Test func theMajorIsNotInstalledAnyMore() throws {
        try TestArchive.with(TestArchive.Options(), initialise: false) { archive in
            let major = try archive.upstream.sql("select current_setting('server_version_num')::int / 10000")
            let without = archive.pgarchive.setting("PGARCHIVE_POSTGRES_\(major)", "/nonexistent")
            expectRefusal(try without.run(archive.initArguments), mentions: major)
            for sentence in try InvariantsChecker(archive).leftovers() { Issue.record("\(sentence)") }
            try archive.initialise()
            _ = try archive.takeSnapshot()
            try archive.pgarchive("clone", "create", "fine", "--latest")
            expectRefusal(try without.run("clone", "start", "fine"), mentions: major)
            try archive.pgarchive("clone", "start", "fine")
            try archive.switchAndReceive()
            try archive.finish()
        }
    }

    /// The settings with `wal.synchronous` on, whether or not the file has a table for it.
    private static func withSynchronous(_ text: String) -> String {
        var lines = text.split(separator: "\n", omittingEmptySubsequences: false).map(String.init)
        lines.removeAll { $0.hasPrefix("synchronous") }
        if let table = lines.firstIndex(of: "[wal]") {
            lines.insert("synchronous = true", at: table + 1)
        } else {
            lines += ["[wal]", "synchronous = true", ""]
        }
        return lines.joined(separator: "\n")
    }
}
