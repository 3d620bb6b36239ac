import ArchiveTesting
import Foundation
import Testing
import WALFormat

/// What a clone does, and what it does not do, once it stands at its target.
@Suite(
    "Clones at their target",
    .enabled(if: TestEnvironment.hasPostgres, TestEnvironment.noPostgres),
    .keepsEvidence
)
struct CloneBehaviourScenarios {
    /// More than 64 open subtransactions at the checkpoint: such a copy is consistent, and yet answers nobody
    /// until it is promoted.
    @Test func aCloneOfAnOverflowedSnapshotAnswers() throws {
        try TestArchive.with(TestArchive.Options()) { archive in
            try archive.upstream.sql("create table s (n int)")
            let savepoints = (1...80).map { "savepoint s\($0); insert into s values (\($0));" }.joined(separator: "\n")
            let open = try archive.upstream.startSession("begin;\n\(savepoints)\nselect pg_sleep(600);")
            defer { open.signal(SIGKILL) }
            try eventually("the transaction is open") {
                try archive.upstream.sql("select count(*) from pg_stat_activity where wait_event = 'PgSleep'") == "1"
            }
            try archive.upstream.sql("checkpoint")
            try archive.replayEverything()
            _ = try archive.takeSnapshot()
            try archive.pgarchive("clone", "create", "overflowed", "--latest", "--start", deadline: 90)
            try #expect(archive.query("overflowed", "select count(*) from s") == "0")
            try archive.upstream.sql("select pg_cancel_backend(pid) from pg_stat_activity where wait_event = 'PgSleep'")
            try archive.finish()
        }
    }

    /// An idle clone starts no process: nothing is forked or executed in a whole minute.
    @Test(.enabled(if: TestEnvironment.hasStrace, TestEnvironment.noStrace))
    func anIdleCloneStartsNoProcess() async throws {
        // The minute is waited for on a thread of its own, so that other tests go on.
        try await OwnThread.run {
            try TestArchive.with(TestArchive.Options()) { archive in
                _ = try archive.takeSnapshot()
                try archive.pgarchive("clone", "create", "idle", "--latest", "--start")
                let data = "\(archive.path)/clones/idle/root/data"
                guard let postmaster = archive.postmaster(of: data) else { throw TestFailure("no postmaster") }
                let family = ProcessTable.all().filter { $0.parent == postmaster.pid } + [postmaster]
                let trace = "\(archive.directory.path)/trace"
                var strace = TestCommand(
                    "/usr/bin/strace",
                    ["-f", "-o", trace, "-e", "trace=fork,vfork,clone,clone3,execve"]
                        + family.flatMap { ["-p", "\($0.pid)"] }
                )
                strace.user = .caller
                let tracing = try strace.start()
                let end = Date(timeIntervalSinceNow: TestEnvironment.idleSeconds)
                try eventually(within: TestEnvironment.idleSeconds + 10, "an idle minute", every: 0.5) {
                    guard tracing.isRunning else { throw TestFailure("strace ended: \(tracing.error)") }
                    return Date() > end
                }
                tracing.signal(SIGINT)
                try tracing.wait(deadline: 10)
                let calls = try String(contentsOfFile: trace, encoding: .utf8).split(separator: "\n")
                let programs = calls.filter { $0.contains("execve(") }
                // PostgreSQL's own autovacuum looks around once a minute, by a fork and no program.
                let forks = calls.filter { $0.contains("clone") || $0.contains("fork(") }
                guard programs.isEmpty, forks.count <= 2 else {
                    throw TestFailure("an idle clone started: \(calls.prefix(5))")
                }
                try archive.switchAndReceive()
                let problems = try archive.problemsAtTheEnd()
                guard problems.isEmpty else { throw TestFailure(problems.joined(separator: "\n")) }
            }
        }
    }

    /// Promotion waits neither for new WAL nor for the time that a fetch would still wait.
    @Test func promotionWithAnIdleArchiveIsQuick() throws {
        try TestArchive.with(TestArchive.Options()) { archive in
            _ = try archive.takeSnapshot()
            var best = Double.infinity
            // The best of a few: tests share two processors.
            for attempt in 1...4 where best >= 1 {
                let name = "quick-\(attempt)"
                try archive.leaveAtTarget(name)
                try archive.waitForLongFetch(name)
                best = min(best, try measured { try archive.pgarchive("clone", "start", name) })
                try #expect(archive.query(name, "select pg_is_in_recovery()") == "f")
            }
            #expect(best < 1)
            // The standby too: its restore_command waits for the next segment, and must let go at once.
            let promotion = try measured {
                try #expect(archive.standbySQL("select pg_promote(true, 20)") == "t")
            }
            #expect(promotion < 3, "a waiting fetch must notice the promote file, not its own bound")
            try archive.switchAndReceive()
            for sentence in try InvariantsChecker(archive).violations() { Issue.record("\(sentence)") }
        }
    }

    /// Segments that lie ready beside a server are not synced: a start that ended with its host may leave torn ones.
    @Test func whatLiesReadySinceAnEarlierStartIsNotTaken() throws {
        try TestArchive.with(TestArchive.Options()) { archive in
            _ = try archive.takeSnapshot()
            try archive.upstream.sql("create table later as select generate_series(1, 100) n")
            try archive.switchAndReceive()
            try archive.pgarchive("clone", "create", "torn", "--latest")
            let stop = try #require(
                archive.pgarchive.json("clone", "list").array.first?.find("stop")?.string
                    .flatMap(TransactionLog.position)
            )
            let ready = "\(archive.path)/clones/torn/root/data/pg_wal/pgarchive.ahead"
            try FileManager.default.createDirectory(
                atPath: ready,
                withIntermediateDirectories: true,
                attributes: [.posixPermissions: 0o777]
            )
            for name in archive.archivedSegments() {
                let segment = "\(archive.path)/wal_archive/\(name)"
                let size = try #require(FileManager.default.attributesOfItem(atPath: segment)[.size] as? UInt64)
                let segmentSize = try #require(SegmentSize(bytes: size))
                let number = try #require(SegmentName(name)?.number(size: segmentSize))
                try SpoiltFile.write("", to: "\(ready)/\(name)-\(min(stop, (number + 1) * size))")
            }
            try archive.pgarchive("clone", "start", "torn")
            #expect(try archive.query("torn", "select count(*) from later") == "100")
            #expect(!FileManager.default.fileExists(atPath: ready))
            try archive.finish()
        }
    }

    /// A duplicate of a running clone recovers by itself, under a port of its own; the source is not touched.
    @Test(arguments: TestFilesystem.Kind.btrfsOrElsePlain)
    func aDuplicateIsACloneOfItsOwn(_ kind: TestFilesystem.Kind) throws {
        try TestArchive.with(TestArchive.Options(kind)) { archive in
            try archive.upstream.sql("create table t as select 1 as n")
            try archive.replayEverything()
            _ = try archive.takeSnapshot()
            try archive.pgarchive("clone", "create", "source", "--latest", "--start")
            _ = try archive.query("source", "insert into t values (2); checkpoint; insert into t values (3)")
            if kind != .btrfs { try archive.pgarchive("clone", "stop", "source") }
            let settings = try FileManager.default.attributesOfItem(
                atPath: "\(archive.path)/clones/source/postgresql.conf"
            )
            try archive.pgarchive("clone", "duplicate", "source", "copy")
            try archive.pgarchive("clone", "start", "copy")
            if kind != .btrfs { try archive.pgarchive("clone", "start", "source") }
            try #expect(archive.query("copy", "select sum(n) from t") == "6")
            _ = try archive.query("copy", "drop table t")
            try #expect(archive.query("source", "select sum(n) from t") == "6")
            try #expect(archive.query("copy", "show port") != archive.query("source", "show port"))
            let later = try FileManager.default.attributesOfItem(
                atPath: "\(archive.path)/clones/source/postgresql.conf"
            )
            #expect(settings[.modificationDate] as? Date == later[.modificationDate] as? Date)
            try archive.switchAndReceive()
            try archive.finish()
        }
    }

    /// Somebody took the port between create and start.
    @Test func aPortThatWasTakenMeanwhile() throws {
        try TestArchive.with(TestArchive.Options()) { archive in
            _ = try archive.takeSnapshot()
            try archive.pgarchive("clone", "create", "late", "--latest")
            let port = try #require(try archive.pgarchive.json("clone", "list").array.first?["port"]?.number)
            let listener = try FreePort.listen(on: Int(port))
            defer { close(listener) }
            try archive.pgarchive("clone", "start", "late")
            try #expect(archive.query("late", "show port") != "\(Int(port))")
            try archive.switchAndReceive()
            try archive.finish()
        }
    }
}
