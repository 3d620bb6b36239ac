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
            let first = try archive.takeSnapshot()
            // Two more snapshots while sessions write, so that plans have something to choose from.
            let writing = try oracle.startWriting(seconds: 8, clients: 6, rate: 300)
            for _ in 0..<2 {
                _ = try archive.switchAndReceive()
                try archive.replayEverything()
                _ = try archive.takeSnapshot()
            }
            try writing.wait()
            let truth = try oracle.truth()
            try archive.switchAndReceive()
            let targets = truth.targets(count, from: first.consistent, to: .max, seed: seed)
            #expect(targets.count == count)
            for (index, target) in targets.enumerated() {
                let name = "t\(index)"
                try archive.pgarchive.succeed(["clone", "create", name] + target.arguments + ["--start"])
                let shown = try archive.query(name, Oracle.digestQuery)
                #expect(shown == truth.digest(before: target.bound), "\(target), PGARCHIVE_TARGETS_SEED=\(seed)")
                try archive.discard(name)
            }
            let unreachable = UnreachableTargets(truth.log, first: first.consistent, earlyTransaction: early)
            for target in unreachable.targets(count, seed: seed) {
                let refused = try archive.pgarchive.run(["clone", "create", "no"] + target + ["--start"])
                #expect(refused.status == 4, "\(target), PGARCHIVE_TARGETS_SEED=\(seed): \(refused)")
            }
            #expect(try FileManager.default.contentsOfDirectory(atPath: "\(archive.path)/clones").isEmpty)
            try archive.finish()
        }
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
