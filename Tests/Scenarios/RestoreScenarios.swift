import ArchiveTesting
import Foundation
import Testing

/// A whole cluster back, for production.
@Suite(
    "Restoring a cluster",
    .enabled(if: TestEnvironment.hasPostgres, TestEnvironment.noPostgres),
    .keepsEvidence
)
struct RestoreScenarios {
    /// At the moment asked for, with its tablespaces, its own settings and a history that it archives.
    @Test(arguments: TestFilesystem.Kind.btrfsOrElsePlain)
    func aClusterIsRestoredToAMomentAndStarted(_ kind: TestFilesystem.Kind) throws {
        try TestArchive.with(TestArchive.Options(kind), initialise: false) { archive in
            let space = try archive.directory.subdirectory("space")
            try archive.upstream.sql("create tablespace elsewhere location '\(space)'")
            try archive.upstream.sql(
                "create table far tablespace elsewhere as select 1 as n; alter system set work_mem = '7MB'"
            )
            try archive.initialise()
            let oracle = try Oracle(archive.upstream)
            try archive.replayEverything()
            _ = try archive.takeSnapshot()
            try archive.upstream.sql("insert into far values (2)")
            let wanted = try oracle.writeRow("wanted")
            _ = try oracle.writeRow("too late")
            try archive.upstream.sql("drop table far")
            try archive.switchAndReceive()

            let place = try archive.directory.subdirectory("production")
            let plan = try archive.pgarchive.json("restore", "--to", "\(place)/main", "--at", wanted.after, "--dry-run")
            #expect(plan.find("stop")?.string != nil, "\(plan)")
            #expect(!FileManager.default.fileExists(atPath: "\(place)/main"))

            // Its settings are the upstream's, so is the port.
            try archive.upstream.stop()
            let report = try archive.pgarchive(
                "restore",
                "--to",
                "\(place)/main",
                "--at",
                wanted.after,
                "--start",
                deadline: 120
            )
            defer { Self.stop("\(place)/main", of: archive.upstream) }
            #expect(report.error.contains("archive_command was taken out"), "\(report)")
            let restored = archive.upstream
            try #expect(restored.sql("show data_directory") == "\(place)/main")
            try #expect(restored.sql("select max(id) from oracle") == "\(wanted.id)")
            try #expect(restored.sql("select sum(n) from far") == "3")
            try #expect(restored.sql("show work_mem") == "7MB")
            let location = try restored.sql(
                "select pg_tablespace_location(oid) from pg_tablespace where spcname = 'elsewhere'"
            )
            #expect(location.hasPrefix("\(place)/main.tablespaces/"))
            try #expect(restored.sql("insert into far values (4) returning pg_is_in_recovery()") == "f")
            try #expect(restored.sql("select timeline_id from pg_control_checkpoint()") == "2")
            // It does not archive where the upstream does, which may live on; told where, it does, from its beginning.
            try #expect(restored.sql("show archive_command") == "")
            let own = try archive.directory.subdirectory("own")
            try restored.sql("alter system set archive_command = 'cp %p \(own)/%f'; select pg_reload_conf()")
            try eventually(within: 60, "the new timeline's history is archived") {
                FileManager.default.fileExists(atPath: "\(own)/00000002.history")
            }
            let log = try String(contentsOfFile: "\(place)/main/recovery.log", encoding: .utf8)
            #expect(log.contains("asked for \(wanted.after)") && log.contains("as planned"), "\(log)")
            let names = try FileManager.default.contentsOfDirectory(atPath: "\(place)/main")
            #expect(!names.contains { $0.contains("pgarchive") || $0.hasSuffix(".signal") }, "\(names)")
        }
    }

    /// A tablespace's directory that a killed restore had begun with, and that another one uses since, is not touched.
    @Test func anOldRestoresTablespaceIsLeftToWhoUsesItNow() throws {
        try TestArchive.with(TestArchive.Options(), initialise: false) { archive in
            let space = try archive.directory.subdirectory("space")
            try archive.upstream.sql("create tablespace elsewhere location '\(space)'")
            try archive.upstream.sql("create table far tablespace elsewhere as select 1 as n")
            let oid = try archive.upstream.sql("select oid from pg_tablespace where spcname = 'elsewhere'")
            try archive.initialise()
            try archive.replayEverything()
            _ = try archive.takeSnapshot()
            let fast = try archive.directory.subdirectory("fast")
            let place = archive.directory.path
            let mapping = ["--tablespace", "\(oid)=\(fast)"]
            let killed = try archive.pgarchive.setting("PGARCHIVE_FAULT", "restore.copied=exit")
                .run(["restore", "--to", "\(place)/first"] + mapping, deadline: 120)
            #expect(killed.status == 86, "\(killed)")
            // The directory is not empty: what it is used for must be settled by its user.
            expectRefusal(
                try archive.pgarchive.run(["restore", "--to", "\(place)/second"] + mapping, deadline: 120),
                status: 4,
                mentions: fast
            )
            try TestCommand("/bin/sh", ["-c", "rm -rf '\(fast)'/*"]).succeed()
            try archive.pgarchive.succeed(["restore", "--to", "\(place)/second"] + mapping, deadline: 120)
            let before = try DirectoryFingerprint(of: fast)
            try archive.pgarchive("restore", "--to", "\(place)/first", deadline: 120)
            try #expect(DirectoryFingerprint(of: fast).changes(since: before).isEmpty)
            try archive.switchAndReceive()
            try archive.finish()
        }
    }

    /// What the server had written and nobody received is in the restored cluster all the same.
    @Test func aCrashedServersOwnWALIsUsed() throws {
        try TestArchive.with(TestArchive.Options()) { archive in
            let oracle = try Oracle(archive.upstream)
            try archive.replayEverything()
            _ = try archive.takeSnapshot()
            _ = try oracle.writeRow("received")
            try archive.switchAndReceive()
            try archive.pgarchive("wal_archive", "stop")
            // Some segments, and a part of one.
            for _ in 1...3 {
                _ = try oracle.writeRow("never received")
                try archive.upstream.switchSegment()
            }
            let last = try oracle.writeRow("the last one")
            let truth = try oracle.truth()
            try archive.upstream.killHard()

            let target = "\(archive.directory.path)/restored"
            let crashed = archive.upstream.data
            expectRefusal(try archive.pgarchive.run("restore", "--to", crashed), status: 4, mentions: "--wal-from")
            for point in FaultPoints.unarchivedWAL {
                let killed = try archive.pgarchive.setting("PGARCHIVE_FAULT", "\(point)=exit")
                    .run("restore", "--to", target, "--wal-from", crashed, deadline: 120)
                #expect(killed.status == 86, "\(point): \(killed)")
            }
            try archive.pgarchive("restore", "--to", target, "--wal-from", crashed, "--start", deadline: 120)
            defer { Self.stop(target, of: archive.upstream) }
            try #expect(archive.upstream.sql("select max(id) from oracle") == "\(last.id)")
            try #expect(archive.upstream.sql(Oracle.digestQuery) == truth.digest(before: .max))
            // Once more there is nothing to take.
            let again = try archive.pgarchive("restore", "--to", "\(target).2", "--wal-from", crashed, deadline: 120)
            #expect(again.error.contains("has no WAL that is not in the archive"), "\(again)")
        }
    }

    /// Promoted to another timeline, of which nothing was received, the crashed server had gone on for some time.
    @Test func aCrashedServersNewerTimelineIsFollowed() throws {
        try TestArchive.with(TestArchive.Options()) { archive in
            let oracle = try Oracle(archive.upstream)
            try archive.replayEverything()
            _ = try archive.takeSnapshot()
            _ = try oracle.writeRow("received")
            try archive.switchAndReceive()
            try archive.pgarchive("wal_archive", "stop")
            _ = try oracle.writeRow("never received")
            try archive.upstream.switchSegment()
            let old = try oracle.writeRow("the last one of timeline 1")
            try archive.upstream.changeTimeline()
            let wanted = try oracle.writeRow("on timeline 2")
            try archive.upstream.switchSegment()
            let last = try oracle.writeRow("the last one")
            try archive.upstream.killHard()

            let crashed = archive.upstream.data
            let place = archive.directory.path
            // What cannot be done changes nothing: not the archive, and no directory is made.
            let before = try DirectoryFingerprint(of: archive.walArchive)
            for target in [["--at", "10 years ago"], ["--lsn", "FF/0"], ["--xid", "77777"]] {
                expectRefusal(
                    try archive.pgarchive.run(
                        ["restore", "--to", "\(place)/none", "--wal-from", crashed] + target,
                        deadline: 120
                    ),
                    status: 4
                )
            }
            expectRefusal(
                try archive.pgarchive.run("restore", "--to", crashed, "--wal-from", crashed),
                status: 4,
                mentions: "holds a cluster"
            )
            try #expect(DirectoryFingerprint(of: archive.walArchive).changes(since: before).isEmpty)
            #expect(!FileManager.default.fileExists(atPath: "\(place)/none"))

            // The target lies in what is not taken yet.
            let report = try archive.pgarchive(
                "restore",
                "--to",
                "\(place)/first",
                "--wal-from",
                crashed,
                "--at",
                wanted.after,
                "--start",
                deadline: 120
            )
            #expect(report.error.contains("on to timeline 2"), "\(report)")
            do {
                defer { Self.stop("\(place)/first", of: archive.upstream) }
                try #expect(archive.upstream.sql("select max(id) from oracle") == "\(wanted.id)")
            }
            try archive.pgarchive("restore", "--to", "\(place)/second", "--start", deadline: 120)
            defer { Self.stop("\(place)/second", of: archive.upstream) }
            try #expect(archive.upstream.sql("select max(id) from oracle") == "\(last.id)")
            let lost = try archive.upstream.sql("select count(*) from oracle where id <= \(old.id)")
            #expect(lost == "\(old.id)")
        }
    }

    @Test func whatItMustNotTouchIsRefusedBeforeAnyWork() throws {
        try TestArchive.with(TestArchive.Options()) { archive in
            try archive.replayEverything()
            _ = try archive.takeSnapshot()
            let place = try archive.directory.subdirectory("place")
            try SpoiltFile.write("mine", to: "\(place)/notes")
            expectRefusal(try archive.pgarchive.run("restore", "--to", place), status: 4, mentions: "not empty")
            expectRefusal(
                try archive.pgarchive.run("restore", "--to", archive.upstream.data),
                status: 4,
                mentions: "is running"
            )
            expectRefusal(
                try archive.pgarchive.run("restore", "--to", "\(archive.path)/clones/x"),
                status: 4,
                mentions: "inside the container"
            )
            expectRefusal(
                try archive.pgarchive.run("restore", "--to", "\(place)/new", "--tablespace", "99=/srv/x"),
                status: 2,
                mentions: "tablespace 99"
            )
            expectRefusal(
                try archive.pgarchive.run("restore", "--to", "\(place)/new", "--at", "10 years ago"),
                status: 4
            )
            #expect(!FileManager.default.fileExists(atPath: "\(place)/new"))
            try #expect(FileManager.default.contentsOfDirectory(atPath: place) == ["notes"])
            try archive.switchAndReceive()
            try archive.finish()
        }
    }

    /// Root makes the directory where the owner may not, and takes it away again when nothing came of it.
    @Test(.enabled(if: TestEnvironment.isRoot, "only root makes directories for others"))
    func rootMakesTheDirectoryOnlyForWhatIsRestored() throws {
        try TestArchive.with(TestArchive.Options()) { archive in
            try archive.replayEverything()
            _ = try archive.takeSnapshot()
            try archive.switchAndReceive()
            let place = "\(archive.directory.path)/of-root"
            try FileManager.default.createDirectory(atPath: place, withIntermediateDirectories: false)
            chmod(place, 0o755)
            var program = archive.pgarchive.with(user: .caller)
            program.workingDirectory = place
            expectRefusal(try program.run("restore", "--to", "main", "--at", "10 years ago"), status: 4)
            try #expect(FileManager.default.contentsOfDirectory(atPath: place).isEmpty)
            try program("restore", "--to", "main", deadline: 120)
            let owner = try FileManager.default.attributesOfItem(atPath: "\(place)/main")[.ownerAccountName] as? String
            #expect(owner == TestEnvironment.owner.name)
            try archive.finish()
        }
    }

    /// Killed between any two steps, the same command makes it whole; interrupted, nothing is left.
    @Test func aKilledRestoreIsDoneAgainByTheSameCommand() throws {
        try TestArchive.with(TestArchive.Options()) { archive in
            let oracle = try Oracle(archive.upstream)
            try archive.replayEverything()
            let snapshot = try archive.takeSnapshot()
            let row = try oracle.writeRow("wanted")
            try archive.switchAndReceive()
            let target = "\(archive.directory.path)/restored"
            let mark = "\(archive.directory.path)/fault"
            for point in FaultPoints.restore {
                let killed = try archive.pgarchive.setting("PGARCHIVE_FAULT", "\(point)=exit")
                    .run("restore", "--to", target, deadline: 120)
                #expect(killed.status == 86, "\(point): \(killed)")
            }
            // Stopped in the middle, it protects what it needs.
            let stopped = try archive.pgarchive.setting("PGARCHIVE_FAULT", "restore.copied=stop")
                .setting("PGARCHIVE_FAULT_MARK", mark).start("restore", "--to", target)
            try eventually(within: 60, "it is stopped") { FileManager.default.fileExists(atPath: mark) }
            expectRefusal(
                try archive.pgarchive.run("snapshot", "delete", snapshot.name),
                status: 7,
                mentions: "is restoring"
            )
            expectRefusal(try archive.pgarchive.run("restore", "--to", target), status: 7)
            stopped.signal(SIGINT)
            stopped.signal(SIGCONT)
            try #expect(stopped.wait(deadline: 60).status == 5)
            try #expect(FileManager.default.contentsOfDirectory(atPath: target).isEmpty)

            try archive.pgarchive("restore", "--to", target, deadline: 120)
            try archive.upstream.stop()
            try TestCommand("\(archive.upstream.bin)/pg_ctl", ["-D", target, "-w", "-l", "\(target)/log", "start"])
                .succeed()
            defer { Self.stop(target, of: archive.upstream) }
            try #expect(archive.upstream.sql("select max(id) from oracle") == "\(row.id)")
        }
    }

    /// The place was empty when both looked: the second one leaves the first one's alone.
    @Test func twoRestoresIntoOneDirectory() throws {
        try TestArchive.with(TestArchive.Options()) { archive in
            try archive.replayEverything()
            _ = try archive.takeSnapshot()
            try archive.switchAndReceive()
            let target = "\(archive.directory.path)/restored"
            func start(stoppingAt point: String) throws -> TestProcess {
                let mark = "\(archive.directory.path)/\(point)"
                let process = try archive.pgarchive.setting("PGARCHIVE_FAULT", "\(point)=stop")
                    .setting("PGARCHIVE_FAULT_MARK", mark).start("restore", "--to", target)
                try eventually(within: 60, "\(point)") { FileManager.default.fileExists(atPath: mark) }
                return process
            }
            let late = try start(stoppingAt: "restore.checked")
            let first = try start(stoppingAt: "restore.copied")
            late.signal(SIGCONT)
            try #expect(late.wait(deadline: 60).status == 7)
            first.signal(SIGCONT)
            try #expect(first.wait(deadline: 120).status == 0)
            #expect(FileManager.default.fileExists(atPath: "\(target)/PG_VERSION"))
            try archive.finish()
        }
    }

    private static func stop(_ data: String, of server: TestPostgres) {
        _ = try? TestCommand("\(server.bin)/pg_ctl", ["-D", data, "-m", "immediate", "-w", "stop"]).run(deadline: 60)
    }
}
