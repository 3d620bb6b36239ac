import ArchiveTesting
import Foundation
import Testing

/// Random moments, positions and transactions in the work of many sessions: a clone of each shows exactly the rows that
/// it must, and what cannot be reached is refused before anything is made.
@Suite(
    "Targets are exact",
    .enabled(if: TestEnvironment.hasPostgres, TestEnvironment.noPostgres),
    .keepsEvidence
)
struct OracleTargetScenarios {
    @Test(arguments: TestFilesystem.Kind.btrfsOrElsePlain)
    func randomTargets(_ kind: TestFilesystem.Kind) throws {
        let seed = TestEnvironment.targetSeed
        let count = TestEnvironment.targetCount
        try TestArchive.with(TestArchive.Options(kind)) { archive in
            let oracle = try Oracle(archive.upstream)
            try archive.replayEverything()
            try oracle.writeRow("before all snapshots")
            let early = try archive.upstream.sql("select pg_current_xact_id()")
            try archive.replayEverything()
            let first = try snapshot(archive)
            try write(oracle, archive, tables: 0..<3)
            let second = try snapshot(archive)
            try write(oracle, archive, tables: 3..<5)
            try archive.upstream.changeTimeline()
            try archive.replayEverything()
            _ = try snapshot(archive)
            try write(oracle, archive, tables: 5..<7)
            let truth = try oracle.truth()
            try archive.switchAndReceive()
            try #require(truth.log.fork != nil && truth.log.restorePoints.count == 7)
            let drops = try drops(archive, truth)
            #expect(drops.count == 7)
            let targets = truth.targets(count, from: first.consistent, seed: seed)
            #expect(targets.count == count)
            try recover(targets + drops.keys, archive, truth, drops, seed: seed)
            let unreachable = UnreachableTargets(truth.log, first: first.consistent, earlyTransaction: early)
            for target in unreachable.targets(count, seed: seed) { try refuse(target, archive, [4], seed: seed) }
            try holes(archive, unreachable, first.consistent, second.redo, count / 4, seed: seed)
            try archive.finish()
        }
    }

    private func snapshot(_ archive: TestArchive) throws -> (consistent: UInt64, redo: UInt64) {
        let record = try archive.pgarchive.json("snapshot", "create")
        let positions = ["consistent", "redo"].compactMap {
            record.find($0)?.string.flatMap(TransactionLog.position)
        }
        try #require(positions.count == 2, "\(record)")
        return (positions[0], positions[1])
    }

    /// Sessions write, over several segments, while tables are dropped and restore points made.
    private func write(_ oracle: Oracle, _ archive: TestArchive, tables: Range<Int>) throws {
        let writing = try oracle.startWriting(seconds: 4, clients: 6, rate: 200)
        for number in tables {
            try archive.upstream.sql(
                "create table doomed_\(number) as select repeat('x', 100) from generate_series(1, 5000)"
            )
            try archive.upstream.sql("drop table doomed_\(number)")
            try archive.upstream.sql("select pg_create_restore_point('point \(number)')")
            try archive.upstream.switchSegment()
        }
        try writing.wait()
        try archive.upstream.sql("checkpoint")
        try archive.replayEverything()
    }

    /// The drops as events, by their ids, and their tables; each is a record of the upstream's own log.
    private func drops(_ archive: TestArchive, _ truth: OracleTruth) throws -> [Oracle.Target: String] {
        var drops: [Oracle.Target: String] = [:]
        for (number, event) in try archive.events("--kind", "drop").enumerated() {
            let id = try #require(event["id"]?.string)
            let position = try #require(TransactionLog.position(id))
            let ended = truth.log.entries.first { $0.start == position }
            #expect(ended.map { Double($0.transactionID) } == event["transactionID"]?.number, "\(event)")
            drops[Oracle.Target(arguments: ["--before", id], bound: position)] = "doomed_\(number)"
        }
        return drops
    }

    /// What a clone holds follows from its plan alone: targets with the same plan share one.
    private func recover(
        _ targets: [Oracle.Target],
        _ archive: TestArchive,
        _ truth: OracleTruth,
        _ drops: [Oracle.Target: String],
        seed: UInt64
    ) throws {
        var plans: [[String?]: [Oracle.Target]] = [:]
        for target in targets {
            let arguments = ["clone", "create", "t", "--dry-run", "--output", "json"] + target.arguments
            let plan = JSONValue(try archive.pgarchive.succeed(arguments).output)
            plans[Self.place(plan), default: []].append(target)
        }
        for (place, group) in plans {
            guard let target = group.first else { continue }
            try archive.pgarchive.succeed(["clone", "create", "t", "--start"] + target.arguments, deadline: 120)
            #expect(try Self.place(archive.cloneRecord("t")) == place, "\(target)")
            let shown = try archive.query("t", Oracle.digestQuery)
            for target in group {
                #expect(shown == truth.digest(before: target.bound), "\(target), PGARCHIVE_TARGETS_SEED=\(seed)")
                guard let table = drops[target] else { continue }
                try #expect(archive.query("t", "select count(*) from \(table)") == "5000", "\(target)")
            }
            try archive.discard("t")
        }
    }

    private static func place(_ plan: JSONValue?) -> [String?] {
        ["snapshot", "redo", "path", "stop"].map { plan?.find($0)?.string }
    }

    private func refuse(_ target: [String], _ archive: TestArchive, _ statuses: Set<Int32>, seed: UInt64) throws {
        let refused = try archive.pgarchive.run(["clone", "create", "no"] + target + ["--start"])
        #expect(statuses.contains(refused.status), "\(target), PGARCHIVE_TARGETS_SEED=\(seed): \(refused)")
        #expect(try FileManager.default.contentsOfDirectory(atPath: "\(archive.path)/clones").isEmpty)
    }

    /// Behind a segment that is missing, and behind one that is damaged, up to the next snapshot nothing is reached.
    private func holes(
        _ archive: TestArchive,
        _ unreachable: UnreachableTargets,
        _ consistent: UInt64,
        _ redo: UInt64,
        _ count: Int,
        seed: UInt64
    ) throws {
        let hole = SegmentFile.name(of: consistent + 1 << 20)
        let path = "\(archive.walArchive)/\(hole)"
        let behind = unreachable.behind((consistent >> 20 + 2) << 20, before: redo, count, seed: seed)
        #expect(behind.count == count)
        try FileManager.default.moveItem(atPath: path, toPath: "\(archive.path)/taken")
        for target in behind { try refuse(target, archive, [4], seed: seed) }
        try FileManager.default.moveItem(atPath: "\(archive.path)/taken", toPath: path)
        let sound = try #require(FileManager.default.contents(atPath: path))
        var damaged = sound
        for at in 300_000..<300_064 { damaged[at] ^= 0x55 }
        try SpoiltFile.write(damaged, to: path)
        // A transaction is looked for on both sides of the damage, and not found.
        for target in behind { try refuse(target, archive, target[0] == "--xid" ? [4] : [9], seed: seed) }
        try SpoiltFile.write(sound, to: path)
    }

    /// Prepared transactions, and commits out of the order of their times.
    @Test func preparedTransactions() throws {
        try TestArchive.with(TestArchive.Options()) { archive in
            let oracle = try Oracle(archive.upstream)
            try archive.replayEverything()
            let snapshot = try archive.takeSnapshot()
            try archive.upstream.sql(
                """
                begin; insert into oracle (note) values ('prepared'); prepare transaction 'p1';
                begin; insert into oracle (note) values ('given up'); prepare transaction 'p2';
                """
            )
            let between = try oracle.writeRow("between prepare and commit")
            try archive.upstream.sql("commit prepared 'p1'; rollback prepared 'p2'")
            try oracle.writeRow("after")
            try archive.switchAndReceive()
            let truth = try oracle.truth()
            let entries = truth.log.entries.filter { $0.start >= snapshot.consistent && $0.unixMicroseconds != nil }
            for (index, entry) in entries.enumerated() {
                guard let time = entry.unixMicroseconds else { continue }
                let target = truth.timeTarget(time, beginning: snapshot.consistent)
                let name = "p\(index)"
                try archive.pgarchive.succeed(["clone", "create", name] + target.arguments + ["--start"])
                try #expect(archive.query(name, Oracle.digestQuery) == truth.digest(before: target.bound), "\(target)")
                try archive.discard(name)
            }
            // A clone between PREPARE and COMMIT PREPARED still holds the prepared transactions.
            try archive.pgarchive("clone", "create", "between", "--at", between.after, "--start")
            try #expect(archive.query("between", "select count(*) from pg_prepared_xacts") == "2")
            try archive.finish()
        }
    }

    /// A moment that has just passed, with nothing after it: reached as soon as the upstream's clock is heard.
    @Test func aMomentThatHasJustPassed() throws {
        try TestArchive.with(TestArchive.Options()) { archive in
            let oracle = try Oracle(archive.upstream)
            try archive.replayEverything()
            _ = try archive.takeSnapshot()
            for number in 1...3 {
                let row = try oracle.writeRow("row \(number)")
                try archive.pgarchive("clone", "create", "c\(number)", "--at", row.after, "--start")
                try #expect(archive.query("c\(number)", "select count(*) from oracle") == "\(number)")
            }
            try itIsToldWhatWasAskedAndDone(archive)
            try archive.finish()
        }
    }

    /// In the clone's recovery.log and in the list; the log of its server is another one.
    private func itIsToldWhatWasAskedAndDone(_ archive: TestArchive) throws {
        let record = try archive.cloneRecord("c1")
        let stop = try #require(record.find("stop")?.string)
        let asked = try #require(record.find("requested")?.string)
        let log = try String(contentsOfFile: "\(archive.path)/clones/c1/log/recovery.log", encoding: .utf8)
        let lines = log.split(separator: "\n")
        try #require(lines.count == 4, "\(log)")
        #expect(lines[0].contains("asked for \(asked)"))
        #expect(lines[1].contains("to \(stop)"))
        #expect(lines[2].contains("to \(stop)") && lines[2].contains(" ms"))
        #expect(lines[3].contains("stopped at \(stop), as planned; it goes on as timeline 2"))
        try #expect(!archive.pgarchive("clone", "log", "c1").output.contains("asked for"))
        let list = try archive.pgarchive("clone", "list").output
        #expect(list.contains("TARGET") && list.contains("REACHED"), "\(list)")
    }

    /// DROP DATABASE removes the files before its commit; a clone at a time before the commit has them all the same.
    @Test func aDroppedDatabaseIsBack() throws {
        try TestArchive.with(TestArchive.Options()) { archive in
            try archive.upstream.sql("create database shop")
            try archive.upstream.sql("create table orders as select generate_series(1, 500) as n", database: "shop")
            try archive.replayEverything()
            _ = try archive.takeSnapshot()
            let moment = try archive.upstream.sql("select to_char(clock_timestamp(), 'YYYY-MM-DD HH24:MI:SS.US+00')")
            try archive.upstream.sql("drop database shop")
            try archive.replayEverything()
            try archive.pgarchive("clone", "create", "before", "--at", moment, "--start")
            let count = try archive.pgarchive(
                "clone",
                "psql",
                "before",
                "shop",
                "-XAtqc",
                "select count(*) from orders"
            ).text
            #expect(count == "500")
            try archive.finish()
        }
    }
}
