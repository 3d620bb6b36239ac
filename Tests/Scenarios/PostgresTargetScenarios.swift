import ArchiveTesting
import Foundation
import Testing

/// The same targets, recovered to by PostgreSQL itself from the same snapshot: the same rows.
@Suite(
    "Targets are PostgreSQL's",
    .enabled(if: TestEnvironment.hasPostgres, TestEnvironment.noPostgres),
    .keepsEvidence
)
struct PostgresTargetScenarios {
    /// A target in our words and in PostgreSQL's.
    private struct Pair {
        var ours: [String]
        var theirs: [String: String]

        /// All that can be asked about one commit or abort.
        static func all(_ entry: TransactionLog.Entry) -> [Pair] {
            var pairs: [Pair] = []
            for (flag, inclusive) in [([], "on"), (["--exclusive"], "off")] {
                func add(_ name: String, _ option: String, _ value: String) {
                    pairs.append(
                        Pair(
                            ours: [option, value] + flag,
                            theirs: ["recovery_target_\(name)": value, "recovery_target_inclusive": inclusive]
                        )
                    )
                }
                if let time = entry.unixMicroseconds { add("time", "--at", OracleTruth.timeText(time)) }
                add("xid", "--xid", "\(entry.transactionID)")
                add("lsn", "--lsn", TransactionLog.text(entry.start))
                add("lsn", "--lsn", TransactionLog.text(entry.start + 8))
            }
            return pairs
        }

        static func name(_ name: String) -> Pair {
            Pair(ours: ["--restore-point", name], theirs: ["recovery_target_name": name])
        }
    }

    /// Every row with its transaction, and what is prepared.
    private static let everything = """
        select coalesce(string_agg(id || ':' || xid || ':' || place, ',' order by id), 'none') || ' prepared '
        || (select count(*) from pg_prepared_xacts) from oracle
        """

    private func compare(_ pairs: [Pair], _ archive: TestArchive, snapshot: String, timeline: String = "1") throws {
        let postgres = PostgresRecovery(archive, snapshot: snapshot)
        for (index, pair) in pairs.enumerated() {
            var theirs = pair.theirs
            theirs["recovery_target_timeline"] = timeline
            let expected = try postgres.answer(theirs, Self.everything)
            let words = ["clone", "create", "c\(index)", "--snapshot", snapshot, "--timeline", timeline] + pair.ours
            let made = try archive.pgarchive.run(words + ["--start"])
            guard let expected else {
                #expect(made.status == 4, "PostgreSQL does not reach \(pair): \(made)")
                continue
            }
            guard made.status == 0 else {
                Issue.record("\(pair): \(made)")
                continue
            }
            #expect(try archive.query("c\(index)", Self.everything) == expected, "\(pair)")
            try archive.discard("c\(index)")
        }
    }

    /// Prepared transactions, rollbacks, subtransactions, commits out of the order of their ids, and restore points.
    @Test func theSameRows() throws {
        try TestArchive.with(TestArchive.Options()) { archive in
            let oracle = try Oracle(archive.upstream)
            try archive.replayEverything()
            let snapshot = try archive.takeSnapshot()
            try archive.upstream.sql(
                """
                insert into oracle (note) values ('first');
                begin; insert into oracle (note) values ('prepared'); prepare transaction 'p1';
                begin; insert into oracle (note) values ('given up'); prepare transaction 'p2';
                select pg_create_restore_point('twice');
                begin; insert into oracle (note) values ('a'); savepoint s;
                insert into oracle (note) values ('lost'); rollback to s;
                insert into oracle (note) values ('b'); commit;
                begin; insert into oracle (note) values ('rolled back'); rollback;
                commit prepared 'p1'; rollback prepared 'p2';
                select pg_create_restore_point('twice');
                insert into oracle (note) values ('last');
                select pg_create_restore_point('once');
                """
            )
            let writing = try oracle.startWriting(seconds: 2, clients: 6, rate: 100)
            try writing.wait()
            try oracle.writeRow("the end")
            let truth = try oracle.truth()
            try archive.switchAndReceive()
            let entries = truth.log.entries.filter { $0.start >= snapshot.consistent && $0.unixMicroseconds != nil }
            // The first ones are those above; of the sessions' work a few.
            let all = entries.prefix(7).flatMap(Pair.all)
            var pairs = all.enumerated().filter { $0.offset % 3 == truth.rows.count % 3 }.map(\.element)
            pairs += Pair.all(entries[entries.count / 2]) + [.name("twice"), .name("once"), .name("never")]
            pairs += [
                Pair(ours: ["--xid", "4000000"], theirs: ["recovery_target_xid": "4000000"]),
                Pair(ours: ["--lsn", "7/0"], theirs: ["recovery_target_lsn": "7/0"]),
            ]
            try compare(pairs, archive, snapshot: snapshot.name)
            try archive.finish()
        }
    }

    /// An upstream whose clock is set forward and back: the first commit that is later ends recovery.
    @Test(.enabled(if: TestEnvironment.fakeClock != nil, TestEnvironment.noFakeClock))
    func aClockThatSteps() throws {
        let clock = "/tmp/pgt-clock-\(UInt32.random(in: 0...UInt32.max))"
        defer {
            unlink(clock)
            Self.removeClocksOfDeadProcesses()
        }
        try SpoiltFile.write("+0\n", to: clock)
        var options = TestArchive.Options()
        options.upstream.environment = [
            "LD_PRELOAD": TestEnvironment.fakeClock ?? "", "FAKETIME_TIMESTAMP_FILE": clock, "FAKETIME_NO_CACHE": "1",
            "FAKETIME_DONT_FAKE_MONOTONIC": "1",
        ]
        try TestArchive.with(options) { archive in
            let oracle = try Oracle(archive.upstream)
            try archive.replayEverything()
            let snapshot = try archive.takeSnapshot()
            for offset in ["+0", "+3600", "+1800", "+7200", "+0"] {
                try SpoiltFile.write(offset + "\n", to: clock)
                for number in 1...3 { try oracle.writeRow("\(number) at \(offset)") }
            }
            let truth = try oracle.truth()
            try archive.switchAndReceive()
            let entries = truth.log.entries.filter { $0.start >= snapshot.consistent && $0.kind == .commit }
            let times = entries.compactMap(\.unixMicroseconds)
            #expect(
                zip(times, times.dropFirst()).contains { $0 - $1 > 1_700_000_000 },
                "the clock did not step: \(times)"
            )
            let pairs = entries.enumerated().filter { $0.offset % 2 == 1 }.flatMap { entry in
                Pair.all(entry.element).filter { $0.theirs["recovery_target_time"] != nil }
            }
            try compare(pairs, archive, snapshot: snapshot.name)
            for (index, isAmbiguous) in [(1, false), (4, true), (7, true)] {
                let time = OracleTruth.timeText(times[index])
                let plan = try archive.pgarchive("clone", "create", "w", "--at", time, "--dry-run")
                #expect(plan.error.contains("clock went backwards") == isAmbiguous, "\(index): \(plan)")
            }
            try archive.finish()
        }
    }

    /// The library leaves its shared memory behind when a server is killed.
    private static func removeClocksOfDeadProcesses() {
        let names = (try? FileManager.default.contentsOfDirectory(atPath: "/dev/shm")) ?? []
        for name in names where name.contains("faketime_") {
            guard let pid = name.split(separator: "_").last.flatMap({ Int32($0) }), kill(pid, 0) != 0 else { continue }
            unlink("/dev/shm/\(name)")
        }
    }

    /// PostgreSQL has removed the files already at any time before the commit; we go back to before that.
    @Test func aDroppedDatabase() throws {
        try TestArchive.with(TestArchive.Options()) { archive in
            _ = try Oracle(archive.upstream)
            try archive.upstream.sql("create database shop")
            try archive.upstream.sql("create table orders as select generate_series(1, 500) as n", database: "shop")
            try archive.replayEverything()
            let snapshot = try archive.takeSnapshot()
            let moment = try archive.upstream.sql("select to_char(clock_timestamp(), 'YYYY-MM-DD HH24:MI:SS.US+00')")
            try archive.upstream.sql("drop database shop")
            try archive.upstream.switchAndArchive()
            try archive.replayEverything()
            let log = try TransactionLog(of: archive.upstream)
            let drop = try #require(log.entries.last { $0.start > snapshot.consistent && $0.kind == .commit })
            let count = "select count(*) from orders"
            let theirs = try PostgresRecovery(archive, snapshot: snapshot.name).answer(
                ["recovery_target_time": moment, "recovery_target_timeline": "1"],
                count,
                database: "shop"
            )
            #expect(theirs != "500", "PostgreSQL keeps it now: so nothing need be done better")
            let ways = [
                ["--at", moment], ["--before", TransactionLog.text(drop.start)],
                ["--xid", "\(drop.transactionID)", "--exclusive"],
            ]
            for (index, way) in ways.enumerated() {
                try archive.pgarchive.succeed(["clone", "create", "c\(index)", "--start"] + way)
                let ours = try archive.pgarchive("clone", "psql", "c\(index)", "shop", "-XAtqc", count).text
                #expect(ours == "500", "\(way)")
                try archive.discard("c\(index)")
            }
            try archive.finish()
        }
    }

    /// Both sides of a fork, from one snapshot.
    @Test func timelines() throws {
        try TestArchive.with(TestArchive.Options()) { archive in
            let oracle = try Oracle(archive.upstream)
            try archive.replayEverything()
            let snapshot = try archive.takeSnapshot()
            for number in 1...3 { try oracle.writeRow("timeline 1, row \(number)") }
            try archive.switchAndReceive()
            let before = try TransactionLog(of: archive.upstream).entries.filter { $0.start >= snapshot.consistent }
            try oracle.writeRow("in the last segment of timeline 1")
            try archive.upstream.changeTimeline()
            for number in 1...3 { try oracle.writeRow("timeline 2, row \(number)") }
            let newest = try archive.upstream.switchAndArchive()
            try eventually(within: 60, "timeline 2 is received") { archive.archivedSegments().contains(newest) }
            try compare(before.prefix(2).flatMap(Pair.all), archive, snapshot: snapshot.name)
            let ids = try archive.upstream.sql("select xid from oracle order by id desc limit 4").split(separator: "\n")
            let later = ids.map { id in Pair(ours: ["--xid", "\(id)"], theirs: ["recovery_target_xid": "\(id)"]) }
            try compare(later, archive, snapshot: snapshot.name, timeline: "2")
            // Not on the other side of the fork.
            let other = try archive.pgarchive.run("clone", "create", "no", "--timeline", "1", "--xid", "\(ids[0])")
            expectRefusal(other, status: 4, mentions: "transaction \(ids[0])")
            try archive.finish()
        }
    }
}
