import ArchiveTesting
import Foundation
import Testing

/// After a failover the old timeline has a tail that is no part of the new one's past.
@Suite(
    "Targets after a failover",
    .enabled(if: TestEnvironment.hasPostgres, TestEnvironment.noPostgres),
    .keepsEvidence
)
struct FailoverTargetScenarios {
    @Test("a drop in the tail that was left is another history's: it hides none, and is reached by its timeline")
    func dropsOnBothSides() throws {
        try TestArchive.with(TestArchive.Options()) { archive in
            let upstream = archive.upstream
            try upstream.sql(
                """
                create table kept as select generate_series(1, 300) n;
                create table sold as select generate_series(1, 200) n;
                """
            )
            try archive.replayEverything()
            try archive.awaitNames(of: "sold")
            _ = try archive.takeSnapshot()
            // What a standby that is promoted later had.
            try upstream.stop()
            try TestCommand("/bin/cp", ["-a", upstream.data, "\(upstream.data).behind"]).succeed()
            try upstream.start()
            try upstream.sql("create table filler as select repeat('x', 1000) from generate_series(1, 3000)")
            try upstream.sqlEach("drop table kept; drop table sold")
            try archive.replayEverything()
            let plain = try archive.pgarchive("wal_archive", "events", "--kind", "drop").output
            #expect(!plain.contains("TL"), "\(plain)")
            let left = try archive.events("--kind", "drop")
            try #require(left.count == 2)
            try archive.pgarchive("container", "stop")

            try failOver(archive)
            let events = try archive.events("--kind", "drop")
            #expect(events.map { $0["timeline"]?.number } == [1, 1, 2], "\(events)")
            let shown = try archive.pgarchive("wal_archive", "events", "--kind", "drop").output
            #expect(shown.split(separator: "\n").map { $0.first { $0 != " " } } == ["T", "1", "1", "2"], "\(shown)")

            // The drop on the newest timeline lies before the other one, and is the one that is meant.
            try archive.pgarchive("clone", "create", "new", "--before-drop", "kept", "--start", deadline: 120)
            try #expect(archive.query("new", "select count(*) from kept") == "301")
            try archive.discard("new")
            let newest = try archive.pgarchive("wal_archive", "events", "--kind", "drop", "-n", "1").output
            #expect(newest.contains("kept") && !newest.contains("sold"), "\(newest)")
            let drop = try #require(events.last?["id"]?.string)
            let exact = try archive.pgarchive("clone", "create", "x", "--before", drop, "--dry-run", "--output", "json")
            #expect(exact.output.contains(drop), "\(exact)")

            // On the old timeline alone: refused, with what to type.
            let sold = try #require(left.last?["id"]?.string)
            for target in [
                ["--before-drop", "sold"], ["--before", sold], ["--before-drop", "sold", "--timeline", "2"],
            ] {
                let other = try archive.pgarchive.run(["clone", "create", "no"] + target)
                expectRefusal(other, status: 4, mentions: "--timeline 1")
            }
            for (name, target) in [("old", ["--before-drop", "SOLD"]), ("id", ["--before", sold])] {
                try archive.pgarchive.succeed(
                    ["clone", "create", name, "--timeline", "1", "--start"] + target,
                    deadline: 120
                )
                try #expect(archive.query(name, "select count(*) from sold") == "200")
                try archive.discard(name)
            }
            // A table's name is no pattern here.
            let pattern = try archive.pgarchive.run("clone", "create", "no", "--before-drop", "k*t")
            expectRefusal(pattern, status: 6, mentions: "no drop of a table 'k*t'")
            try archive.pgarchive("container", "purge", "--force")
        }
    }

    /// The upstream goes on as its standby that was behind, and its WAL comes into the archive.
    private func failOver(_ archive: TestArchive) throws {
        let upstream = archive.upstream
        try upstream.stop()
        try TestCommand("/bin/rm", ["-rf", upstream.data]).succeed()
        try TestCommand("/bin/mv", ["\(upstream.data).behind", upstream.data]).succeed()
        try upstream.changeTimeline()
        try upstream.sqlEach("insert into kept values (301); drop table kept")
        try upstream.switchAndArchive()
        for name in try FileManager.default.contentsOfDirectory(atPath: upstream.copies)
        where name.hasPrefix("00000002") {
            try TestCommand("/bin/cp", ["\(upstream.copies)/\(name)", archive.walArchive]).succeed()
        }
    }
}
