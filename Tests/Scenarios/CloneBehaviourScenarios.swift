import ArchiveTesting
import Foundation
import Testing

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

    /// An idle clone starts no process, and an idle standby asks for WAL at the rate of its bound at most.
    @Test func anIdleCloneStartsNoProcess() throws {
        try TestArchive.with(TestArchive.Options()) { archive in
            _ = try archive.takeSnapshot()
            try archive.pgarchive("clone", "create", "idle", "--latest", "--start")
            let data = "\(archive.path)/clones/idle/root/data"
            let postmaster = try #require(archive.postmaster(of: data))
            let before = try Self.cost(of: postmaster)
            let seconds = TestEnvironment.idleSeconds
            try eventually(within: seconds + 5, "an idle minute", every: 0.05) {
                // A restore_command would be seen as a shell or a fetch that works in the clone's directory.
                let strangers = ProcessTable.living(in: data).filter { $0.arguments.contains("fetch") }
                if !strangers.isEmpty { throw TestFailure("started: \(strangers)") }
                return Date().timeIntervalSince(before.at) >= seconds
            }
            // Process ids are counted up by the kernel for all; what the clone itself has waited for is its own.
            let after = try Self.cost(of: postmaster)
            #expect(after.childSeconds - before.childSeconds < 0.05, "children of the idle clone used the processor")
            #expect(after.startedByClone == before.startedByClone)
            try archive.switchAndReceive()
            try archive.finish()
        }
    }

    /// Promotion must not wait until the archive has something new.
    @Test func promotionWithAnIdleArchiveIsQuick() throws {
        try TestArchive.with(TestArchive.Options()) { archive in
            _ = try archive.takeSnapshot()
            try archive.pgarchive("clone", "create", "quick", "--latest")
            let seconds = try measured { try archive.pgarchive("clone", "start", "quick") }
            try #expect(archive.query("quick", "select pg_is_in_recovery()") == "f")
            // Half a second on an idle machine; tests share two processors.
            #expect(seconds < 5)
            // The standby too: its restore_command waits for the next segment, and must let go at once.
            let promotion = try measured {
                try #expect(archive.standbySQL("select pg_promote(true, 20)") == "t")
            }
            #expect(promotion < 3, "a waiting fetch must notice the promote file, not its own bound")
            try archive.switchAndReceive()
            for sentence in try InvariantsChecker(archive).violations() { Issue.record("\(sentence)") }
        }
    }

    /// A duplicate of a running clone recovers by itself, under a port of its own; the source is not touched.
    @Test func aDuplicateIsACloneOfItsOwn() throws {
        let kind: TestFilesystem.Kind = TestFilesystem.Kind.btrfs.isAvailable ? .btrfs : .plain
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

    private struct Cost {
        let at: Date
        /// Processor time of the children that the startup process and the postmaster have waited for.
        let childSeconds: Double
        let startedByClone: Set<Int32>
    }

    private static func cost(of postmaster: SeenProcess) throws -> Cost {
        let family = ProcessTable.all().filter { $0.parent == postmaster.pid || $0.pid == postmaster.pid }
        var ticks = 0
        for process in family {
            guard let line = try? String(contentsOfFile: "/proc/\(process.pid)/stat", encoding: .utf8),
                let close = line.lastIndex(of: ")")
            else { continue }
            let fields = line[line.index(after: close)...].split(separator: " ")
            // cutime and cstime are fields 16 and 17 of proc(5), 14 and 15 behind the name.
            ticks += (Int(fields[13]) ?? 0) + (Int(fields[14]) ?? 0)
        }
        let background = family.filter { !$0.arguments.joined().contains("autovacuum worker") }
        return Cost(at: Date(), childSeconds: Double(ticks) / 100, startedByClone: Set(background.map(\.pid)))
    }
}
