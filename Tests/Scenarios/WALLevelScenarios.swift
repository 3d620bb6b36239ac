import ArchiveTesting
import Foundation
import Testing

/// What the upstream's settings do to the WAL is told before a clone is made of it.
@Suite(
    "WAL that cannot be trusted",
    .enabled(if: TestEnvironment.hasPostgres, TestEnvironment.noPostgres),
    .keepsEvidence
)
struct WALLevelScenarios {
    @Test("across full_page_writes = off there is a warning, across wal_level = minimal no way")
    func settings() throws {
        try TestArchive.with(TestArchive.Options()) { archive in
            let upstream = archive.upstream
            try upstream.sql("create table t as select generate_series(1, 10) n")
            try archive.replayEverything()
            _ = try archive.takeSnapshot()
            try archive.pgarchive("clone", "create", "sound", "--latest", "--dry-run")
            let sound = try archive.pgarchive("window")
            #expect(!sound.output.contains("not promised"), "\(sound)")

            for setting in ["off", "on"] {
                try upstream.sqlEach("alter system set full_page_writes = \(setting); select pg_reload_conf()")
                try eventually("full_page_writes is \(setting)") {
                    try archive.events("--kind", "full-page-writes-change").last?["what"]?.string == setting
                }
            }
            try archive.replayEverything()
            let plan = try archive.pgarchive("clone", "create", "doubtful", "--latest", "--dry-run")
            #expect(plan.error.contains("full_page_writes"), "\(plan)")
            let window = try archive.pgarchive("window")
            #expect(window.output.contains("not promised") && !window.output.contains("gap"), "\(window)")

            // As an archive_command would bring it: there is no replication with wal_level = minimal.
            try archive.pgarchive("container", "stop")
            try upstream.sql("select pg_drop_replication_slot(slot_name) from pg_replication_slots")
            try set(upstream, ["wal_level": "minimal", "archive_mode": "off", "max_wal_senders": "0"])
            try upstream.sql("insert into t values (11)")
            try set(upstream, ["wal_level": "replica", "archive_mode": "on", "max_wal_senders": "10"])
            try upstream.sql("insert into t values (12)")
            try upstream.switchAndArchive()
            for name in try FileManager.default.contentsOfDirectory(atPath: upstream.copies)
            where name.count == 24 && !archive.archivedSegments().contains(name) {
                try TestCommand("/bin/cp", ["\(upstream.copies)/\(name)", archive.walArchive]).succeed()
            }
            let refused = try archive.pgarchive.run("clone", "create", "no", "--latest")
            expectRefusal(refused, status: 4, mentions: "wal_level = minimal")
            let barred = try archive.pgarchive.json("window")
            let timeline = try #require(barred["timelines"]?.array.last)
            let cause = timeline["gaps"]?.array.last?["cause"]?.string
            #expect(cause?.contains("wal_level = minimal") == true, "\(barred)")
            let end = try #require(timeline["intervals"]?.array.last?["end"]?.string)
            #expect(refused.error.contains("--before \(end)"), "\(refused)")
            try archive.pgarchive("clone", "create", "last", "--before", end, "--start", deadline: 120)
            try #expect(archive.query("last", "select count(*) from t") == "10")
            try archive.discard("last")
            try archive.pgarchive("container", "purge", "--force")
        }
    }

    private func set(_ upstream: TestPostgres, _ settings: [String: String]) throws {
        for (name, value) in settings { try upstream.sql("alter system set \(name) = '\(value)'") }
        try upstream.restart()
    }
}
