import ArchiveTesting
import Foundation
import Testing

/// Stream, snapshot, withheld WAL, and exactly the right rows: the whole path, on every kind of filesystem.
@Suite(
    "From a live upstream to a clone at a chosen moment",
    .enabled(if: TestEnvironment.hasPostgres, TestEnvironment.noPostgres),
    .keepsEvidence
)
struct EndToEndScenarios {
    /// Every kind of filesystem with the PostgreSQL of this machine, and the other majors.
    static let variants: [Variant] =
        TestFilesystem.Kind.forContainers.map { Variant(kind: $0, major: nil) }
        + TestMajor.further.map { Variant(kind: .plain, major: $0) }

    struct Variant: Sendable, CustomTestStringConvertible {
        let kind: TestFilesystem.Kind
        /// Another than the one that other tests run on.
        let major: TestMajor?

        var testDescription: String { kind.rawValue + (major.map { " with \($0.testDescription)" } ?? "") }
    }

    @Test(arguments: variants)
    func aCloneHoldsExactlyTheRowsOfItsMoment(_ variant: Variant) throws {
        var options = TestArchive.Options(variant.kind)
        options.upstream.bin = try variant.major?.orSkip()
        try TestArchive.with(options) { archive in
            try archive.pgarchive("container", "status")
            let oracle = try Oracle(archive.upstream)
            try oracle.writeRow("before the snapshot")
            try archive.replayEverything()
            _ = try archive.takeSnapshot()

            try oracle.startWriting(seconds: 1, rate: 100).wait()
            let wanted = try oracle.writeRow("the last one wanted")
            let unwanted = try oracle.writeRow("one too many")
            try archive.upstream.sql("create table gone as select 1; drop table gone; delete from oracle where id < 20")
            try archive.switchAndReceive()
            let truth = try oracle.truth()

            // A plan changes nothing, and says where recovery will end.
            let plan = try archive.pgarchive.json("clone", "create", "past", "--at", wanted.after, "--dry-run")
            let stop = plan.find("stop")?.string.flatMap(TransactionLog.position)
            #expect(stop != nil, "\(plan)")
            try #expect(archive.pgarchive("clone", "list", "--quiet").output.isEmpty)

            try archive.pgarchive("clone", "create", "past", "--at", wanted.after, "--start")
            let ids = try archive.query("past", "select id from oracle order by id").split(separator: "\n").compactMap {
                Int($0)
            }
            #expect(ids.last == wanted.id)
            #expect(!ids.contains(unwanted.id))
            // The rows deleted later are there again: the truth knows the living ones, these are checked by number.
            #expect(Set(ids.filter { $0 >= 20 }) == truth.visible(before: (stop ?? 0)))
            try #expect(archive.query("past", "select count(*) from pg_class where relname = 'gone'") == "0")
            // It is a server of its own: writable, and isolated.
            try #expect(archive.query("past", "insert into oracle (note) values ('own') returning 1") == "1")
            try #expect(archive.query("past", "show archive_mode") == "off")
            try archive.finish()
        }
    }

    /// Snapshots and clones while sessions write and checkpoints come one after the other.
    @Test(arguments: TestMajor.all)
    func underPgbenchWithCheckpoints(_ major: TestMajor) throws {
        var options = TestArchive.Options()
        options.upstream.bin = try major.orSkip()
        // A checkpoint at every second segment, besides those that are asked for.
        options.upstream.settings = ["max_wal_size": "4MB", "checkpoint_completion_target": "0.1"]
        options.pgbenchScale = 1
        try TestArchive.with(options) { archive in
            let oracle = try Oracle(archive.upstream)
            try archive.replayEverything()
            _ = try archive.takeSnapshot()
            let loads = try [
                archive.upstream.startPgbench(seconds: 600, clients: 4, rate: 150),
                oracle.startWriting(seconds: 600, clients: 2, rate: 60),
            ]
            defer { loads.forEach { $0.signal(SIGINT) } }
            var redo: Set<String> = []
            var moments: [Int64] = []
            var shown: [String] = []
            for round in 1...3 {
                try archive.upstream.sql("checkpoint")
                try redo.insert(archive.upstream.sql("select redo_lsn from pg_control_checkpoint()"))
                _ = try archive.pgarchive("snapshot", "create", "--force")
                let epoch = try archive.upstream.sql(
                    "select (extract(epoch from clock_timestamp()) * 1000000)::bigint"
                )
                let moment = try #require(Int64(epoch))
                // The moment is past once something later is here.
                _ = try oracle.writeRow("after moment \(round)")
                let position = try archive.upstream.currentLSN()
                try eventually(within: 60, "what follows the moment is durable") {
                    try archive.durable() >= TransactionLog.position(position) ?? .max
                }
                let name = "during\(round)"
                try archive.pgarchive(
                    "clone",
                    "create",
                    name,
                    "--at",
                    OracleTruth.timeText(moment),
                    "--start",
                    deadline: 180
                )
                moments.append(moment)
                try shown.append(archive.query(name, Oracle.digestQuery))
                try #expect(archive.query(name, Self.balances) == "t", "\(name)")
            }
            #expect(redo.count == 3)
            for load in loads { #expect(load.isRunning, "the sessions wrote all the while") }
            try Self.end(loads, archive.upstream)
            let truth = try oracle.truth()
            for (moment, digest) in zip(moments, shown) {
                #expect(digest == truth.digest(before: truth.timeTarget(moment).bound), "\(moment)")
            }
            #expect(Set(shown).count == 3)
            try archive.replayEverything()
            try archive.pgarchive("clone", "create", "end", "--latest", "--start", deadline: 180)
            try #expect(archive.query("end", Oracle.digestQuery) == truth.digest(before: .max))
            try #expect(archive.query("end", Self.balances) == "t")
            let verified = try archive.pgarchive("wal_archive", "verify", "--deep")
            #expect(verified.output.contains("no findings"), "\(verified)")
            try archive.finish()
        }
    }

    /// Ends the sessions, and waits until the server has ended their transactions.
    private static func end(_ loads: [TestProcess], _ server: TestPostgres) throws {
        for load in loads {
            load.signal(SIGINT)
            _ = try load.wait()
        }
        try eventually("the sessions are gone") {
            try server.sql("select count(*) from pg_stat_activity where application_name = 'pgbench'") == "0"
        }
    }

    /// What pgbench's transactions leave equal, and half of one would not.
    private static let balances = """
        select (select sum(delta) from pgbench_history) = (select sum(abalance) from pgbench_accounts)
            and (select sum(abalance) from pgbench_accounts) = (select sum(bbalance) from pgbench_branches)
            and (select sum(bbalance) from pgbench_branches) = (select sum(tbalance) from pgbench_tellers)
        """

    @Test func latestIncludesTheTailOfTheUnfinishedSegment() throws {
        try TestArchive.with(TestArchive.Options()) { archive in
            let oracle = try Oracle(archive.upstream)
            _ = try archive.takeSnapshot()
            let row = try oracle.writeRow("just now")
            let position = try archive.upstream.currentLSN()
            // No segment switch: the row is in the partial segment only, and durable within moments.
            try eventually(within: 15, "the tail is durable") {
                try archive.durable() >= TransactionLog.position(position) ?? .max
            }
            try archive.pgarchive("clone", "create", "now", "--latest", "--start")
            try #expect(archive.query("now", "select max(id) from oracle") == "\(row.id)")
            try archive.switchAndReceive()
            try archive.finish()
        }
    }
}
