import ArchiveTesting
import Foundation
import Testing

/// A standby and its clones do nothing to anybody else, least of all to an upstream on the same host.
@Suite(
    "Isolation",
    .enabled(if: TestEnvironment.hasPostgres, TestEnvironment.noPostgres),
    .keepsEvidence
)
struct IsolationScenarios {
    @Test func aTablespaceCreatedUpstreamIsHeldAndItsDirectoryStaysUntouched() throws {
        try TestArchive.with(TestArchive.Options()) { archive in
            let space = try archive.directory.subdirectory("space")
            try archive.upstream.sql("create table t as select generate_series(1, 100) as n")
            let moment = try archive.upstream.sql("select to_char(clock_timestamp(), 'YYYY-MM-DD HH24:MI:SS.US+00')")
            try archive.replayEverything()
            _ = try archive.takeSnapshot()
            try archive.upstream.sql("create tablespace elsewhere location '\(space)'")
            try archive.upstream.sql(
                "create table far tablespace elsewhere as select generate_series(1, 1000) as n; checkpoint"
            )
            let before = try DirectoryFingerprint(of: space)

            try archive.switchAndReceive()
            try archive.upstream.sql("create table later as select 1")
            try archive.switchAndReceive()
            // It is held, red, and the reason names the directory.
            try eventually(within: 30, "the hold is said in status") {
                let status = try archive.pgarchive.run("container", "status")
                return (status.output + status.error).contains(space)
            }
            // Receiving goes on, replay does not: no link of the standby points at the upstream's files.
            try #expect(InvariantsChecker(archive).linksThatLeave().isEmpty)
            try #expect(DirectoryFingerprint(of: space).changes(since: before).isEmpty)
            // A restart of the standby does not lose the hold, nor does a new supervisor.
            try archive.pgarchive("standby", "restart")
            try archive.pgarchive("container", "stop")
            try archive.pgarchive("container", "start")
            try eventually(within: 30, "the hold is still said") {
                try archive.pgarchive.run("container", "status").output.contains(space)
            }
            // A clone from before works; one from after is refused before any work.
            try archive.pgarchive("clone", "create", "early", "--at", moment, "--start")
            try #expect(archive.query("early", "select count(*) from t") == "100")
            expectRefusal(try archive.pgarchive.run("clone", "create", "late", "--latest", "--start"), status: 4)
            #expect(!FileManager.default.fileExists(atPath: "\(archive.path)/clones/late"))
            expectRefusal(try archive.pgarchive.run("snapshot", "create"), status: 4)
            try #expect(DirectoryFingerprint(of: space).changes(since: before).isEmpty)
            try #expect(archive.upstream.sql("select count(*) from far") == "1000")
            try archive.finish()
        }
    }

    @Test func tablespacesThatExistAreMappedIntoTheContainer() throws {
        try TestArchive.with(TestArchive.Options(), initialise: false) { archive in
            let space = try archive.directory.subdirectory("space")
            try archive.upstream.sql("create tablespace elsewhere location '\(space)'")
            try archive.upstream.sql(
                "create table far tablespace elsewhere as select generate_series(1, 1000) as n; checkpoint"
            )
            let before = try DirectoryFingerprint(of: space)
            try archive.initialise()
            try archive.replayEverything()
            _ = try archive.takeSnapshot()
            try archive.pgarchive("clone", "create", "mapped", "--latest", "--start")
            try #expect(archive.query("mapped", "select count(*) from far") == "1000")
            _ = try archive.query("mapped", "delete from far where n > 10; checkpoint")
            try #expect(DirectoryFingerprint(of: space).changes(since: before).isEmpty)
            try archive.finish()
        }
    }

    /// A clone streams from nowhere, applies no subscription, and archives nowhere.
    @Test func aCloneOfASubscriberTakesNothingFromThePublisher() throws {
        var options = TestArchive.Options()
        options.upstream.settings = ["wal_level": "logical"]
        try TestArchive.with(options) { archive in
            // The upstream subscribes to itself: another database of it is the publisher.
            try archive.upstream.sql("create database publisher")
            try archive.upstream.sql(
                """
                create table p (n int); create publication pub for table p;
                select pg_create_logical_replication_slot('sub', 'pgoutput')
                """,
                database: "publisher"
            )
            let publisher = archive.upstream.connection.replacing("dbname=postgres", with: "dbname=publisher")
            try archive.upstream.sql("create table p (n int)")
            try archive.upstream.sql(
                """
                create subscription sub connection '\(publisher)' publication pub
                with (create_slot = false, slot_name = 'sub')
                """
            )
            try archive.replayEverything()
            let snapshot = try archive.takeSnapshot().name
            try archive.upstream.sql("alter subscription sub disable")
            try eventually("the slot is idle") {
                try archive.upstream.sql("select active from pg_replication_slots where slot_name = 'sub'") == "f"
            }
            let copies = try FileManager.default.contentsOfDirectory(atPath: archive.upstream.copies)
            try archive.pgarchive("clone", "create", snapshot, "twin", "--start")
            let subscription = "select subenabled, subslotname, subconninfo like '%publisher%' from pg_subscription"
            try #expect(archive.query("twin", subscription) == "f||f")
            _ = try archive.query("twin", "select pg_switch_wal()")
            for _ in 0..<5 {
                try #expect(
                    archive.upstream.sql("select active from pg_replication_slots where slot_name = 'sub'") == "f"
                )
                try #expect(
                    archive.query("twin", "select count(*) from pg_stat_activity where backend_type like 'logical%'")
                        == "0"
                )
            }
            #expect(try FileManager.default.contentsOfDirectory(atPath: archive.upstream.copies).count == copies.count)
            // Who tidies up in a clone leaves production's slot alone, however the clone was made.
            try archive.pgarchive.succeed(["snapshot", "prepare", snapshot], deadline: 120)
            let copied = try archive.pgarchive("clone", "create", snapshot, "copied", "--start")
            #expect(copied.error.contains("copying the image"), "\(copied)")
            for clone in ["twin", "copied"] { _ = try archive.query(clone, "drop subscription sub") }
            try #expect(
                archive.upstream.sql("select count(*) from pg_replication_slots where slot_name = 'sub'") == "1"
            )
            // A look at an image is one, too, and somebody may write into it.
            let look = try archive.pgarchive.succeed(
                ["psql", "--immediate", "--snapshot", snapshot, "-XAtq", "-c", subscription]
                    + ["-c", "set default_transaction_read_only = off", "-c", "drop subscription sub"],
                deadline: 120
            )
            #expect(look.output == "f||f\n", "\(look)")
            try #expect(
                archive.upstream.sql("select count(*) from pg_replication_slots where slot_name = 'sub'") == "1"
            )
            try archive.upstream.sql("alter subscription sub set (slot_name = none); drop subscription sub")
            try archive.upstream.sql("select pg_drop_replication_slot('sub')", database: "publisher")
            try archive.switchAndReceive()
            try archive.finish()
        }
    }

    /// With its jobs in the catalogs, and the library in the settings that people make: nothing runs them.
    @Test(.enabled(if: TestEnvironment.hasPgCron, "pg_cron is not installed for this PostgreSQL"))
    func aClonesCronJobsStayQuiet() throws {
        var options = TestArchive.Options()
        options.upstream.settings = ["shared_preload_libraries": "pg_cron"]
        try TestArchive.with(options) { archive in
            let launchers = "select count(*) from pg_stat_activity where backend_type = 'pg_cron launcher'"
            try archive.upstream.sql("create extension pg_cron; create table ran (at timestamptz)")
            try archive.upstream.sql("select cron.schedule('job', '* * * * *', 'insert into ran values (now())')")
            try #expect(archive.upstream.sql(launchers) == "1")
            try archive.replayEverything()
            _ = try archive.takeSnapshot()
            let settings = "\(archive.path)/pgarchive.toml"
            let text = try String(contentsOfFile: settings, encoding: .utf8)
            let empty = "shared_preload_libraries = \"\""
            #expect(text.contains(empty), "\(text)")
            try SpoiltFile.write(
                text.replacing(empty, with: "shared_preload_libraries = \"pg_cron\""),
                to: settings
            )
            try archive.pgarchive("clone", "create", "twin", "--latest")
            try SpoiltFile.write(
                String(contentsOfFile: "\(archive.path)/clones/twin/postgresql.conf", encoding: .utf8)
                    + "shared_preload_libraries = 'pg_cron'\ncron.launch_active_jobs = on\n",
                to: "\(archive.path)/clones/twin/postgresql.conf"
            )
            try archive.pgarchive("clone", "start", "twin")
            try #expect(archive.query("twin", "select count(*) from cron.job") == "1")
            try #expect(archive.query("twin", launchers) == "0")
            try #expect(archive.query("twin", "show shared_preload_libraries") == "")
            try archive.switchAndReceive()
            try archive.finish()
        }
    }

    /// Whatever is done in it, from its making to its end, nothing else is touched.
    @Test(arguments: TestFilesystem.Kind.btrfsOrElsePlain)
    func aClonesWholeLifeTouchesNothingElse(_ kind: TestFilesystem.Kind) throws {
        try TestArchive.with(TestArchive.Options(kind), initialise: false) { archive in
            let upstream = archive.upstream
            let space = try archive.directory.subdirectory("space")
            try upstream.sql("create tablespace elsewhere location '\(space)'")
            try upstream.sql("create table far tablespace elsewhere as select generate_series(1, 1000) as n")
            try archive.initialise()
            try upstream.sql("create database shop; create table t as select generate_series(1, 1000) as n")
            try archive.replayEverything()
            _ = try archive.takeSnapshot()
            try upstream.sql("insert into t select generate_series(1001, 2000)")
            try archive.switchAndReceive()
            try archive.pgarchive("container", "stop")
            // What would wake up in it, were it the upstream.
            let own = try archive.directory.subdirectory("own")
            let others =
                ["wal_archive", "standby", "snapshots"].map { "\(archive.path)/\($0)" } + [space, upstream.copies]
            let before = try others.map { try DirectoryFingerprint(of: $0) }
            let slots = "select slot_name, active, restart_lsn, confirmed_flush_lsn from pg_replication_slots"
            let slotsBefore = try upstream.sql(slots)

            try archive.pgarchive("clone", "create", "twin", "--latest", "--start")
            for statement in [
                "insert into far select generate_series(1, 5000)", "vacuum full far", "drop table t", "checkpoint",
                "create tablespace mine location '\(own)'", "create table near tablespace mine as select 1",
                "drop table near", "drop tablespace mine", "drop database shop", "drop table far",
                "drop tablespace elsewhere", "select pg_switch_wal()",
                "select pg_create_physical_replication_slot('mine', true)", "checkpoint",
            ] {
                _ = try archive.query("twin", statement)
            }
            try archive.pgarchive("clone", "restart", "twin")
            try archive.pgarchive("clone", "stop", "twin")
            try archive.pgarchive("clone", "delete", "twin")

            for (place, before) in zip(others, before) {
                let changes = try DirectoryFingerprint(of: place).changes(since: before)
                #expect(changes.isEmpty, "\(place): \(changes)")
            }
            try #expect(upstream.sql(slots) == slotsBefore)
            try #expect(upstream.sql("select count(*) from pg_stat_replication") == "0")
            try archive.pgarchive("container", "start")
            try archive.switchAndReceive()
            try archive.finish()
        }
    }

    /// What an upstream was told by ALTER SYSTEM stays with the upstream.
    @Test func settingsOfTheUpstreamAreNotInherited() throws {
        try TestArchive.with(TestArchive.Options(), initialise: false) { archive in
            let evil = "\(archive.directory.path)/evil"
            for setting in [
                "archive_command = 'touch \(evil)'", "restore_command = 'touch \(evil); false'",
                "archive_cleanup_command = 'touch \(evil)'", "recovery_end_command = 'touch \(evil)'",
                "primary_conninfo = 'host=\(archive.upstream.sockets) port=\(archive.upstream.port) user=postgres'",
                "log_directory = '\(archive.directory.path)/up'", "recovery_target_time = '2001-01-01'",
                "external_pid_file = '\(evil)'", "recovery_min_apply_delay = '1h'", "listen_addresses = '*'",
            ] {
                try archive.upstream.sql("alter system set \(setting)")
            }
            try archive.initialise()
            try archive.upstream.sql("create table t as select 1 as n")
            try archive.replayEverything()
            _ = try archive.takeSnapshot()
            try archive.pgarchive("clone", "create", "own", "--latest", "--start")
            let wanted = [
                "archive_mode": "off", "primary_conninfo": "", "primary_slot_name": "", "archive_cleanup_command": "",
                "recovery_end_command": "", "max_logical_replication_workers": "0", "ssl": "off",
                "synchronous_standby_names": "", "external_pid_file": "", "recovery_target_time": "",
            ]
            for (name, value) in wanted {
                try #expect(archive.query("own", "show \(name)") == value, "\(name) of the clone")
                try #expect(archive.standbySQL("show \(name)") == value, "\(name) of the standby")
            }
            try #expect(archive.standbySQL("show listen_addresses") == "")
            try #expect(!archive.query("own", "show listen_addresses").contains("*"))
            #expect(!FileManager.default.fileExists(atPath: evil))
            try archive.upstream.sql("alter system reset all")
            try archive.switchAndReceive()
            try archive.finish()
        }
    }
}
