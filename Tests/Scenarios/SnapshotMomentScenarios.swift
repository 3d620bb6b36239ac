import ArchiveTesting
import Foundation
import Testing

/// Cron takes its snapshots where a clone has little to replay.
@Suite(
    "Snapshots with little debt",
    .enabled(if: TestEnvironment.hasPostgres, TestEnvironment.noPostgres),
    .keepsEvidence
)
struct SnapshotMomentScenarios {
    @Test func cronWaitsForACheckpointButNotForEver() throws {
        // Upstream makes no checkpoint by itself here.
        try TestArchive.with(TestArchive.Options()) { archive in
            let limit = 3.0 * 1_048_576
            let settings = "\(archive.path)/pgarchive.toml"
            let text = try String(contentsOfFile: settings, encoding: .utf8)
            try SpoiltFile.write(text.replacing("debt = \"256MB\"", with: "debt = \"3MB\""), to: settings)
            func log() -> String {
                (try? String(contentsOfFile: "\(archive.path)/log/cron_snapshot.log", encoding: .utf8)) ?? ""
            }
            func writeMuch() throws {
                try archive.upstream.sql("create table if not exists t (n int, filler text)")
                try archive.upstream.sql("insert into t select n, repeat('x', 100) from generate_series(1, 60000) n")
                try archive.replayEverything()
            }

            try writeMuch()
            let waiting = try archive.pgarchive.start(
                "cron",
                "expire-and-create-snapshot",
                "--output",
                "json",
                "--timeout",
                "3600"
            )
            let sign = "waiting for upstream's next checkpoint"
            try eventually(within: 60, "it waits") { log().contains(sign) }
            // Others are not kept waiting with it.
            try archive.pgarchive("snapshot", "create", "--name", "other")
            try archive.upstream.sql("checkpoint")
            try archive.replayEverything()
            let result = try waiting.wait(deadline: 60)
            #expect(result.status == 0, "\(result)")
            let name = try #require(JSONValue(result.output)?.find("name")?.string)
            #expect(try debt(of: name, archive) <= limit, "\(log())")
            #expect(try debt(of: "other", archive) > limit)
            #expect(!log().contains("no newer checkpoint"), "\(log())")

            // Where the debt is small nothing is waited for.
            try archive.upstream.sql("insert into t values (0)")
            try archive.upstream.sql("checkpoint")
            try archive.replayEverything()
            let small = try archive.pgarchive.json("cron", "expire-and-create-snapshot", "--timeout", "3600")
            let newest = try #require(small.find("name")?.string)
            #expect(log().ranges(of: sign).count == 1, "\(log())")

            // What would equal it is not taken again.
            let again = try archive.pgarchive.json("cron", "expire-and-create-snapshot", "--timeout", "3600")
            #expect(again["unchanged"]?.string == newest)
            try #expect(archive.pgarchive("snapshot", "list", "--quiet").lines.last == newest)
            #expect(log().contains("the standby has replayed nothing since '\(newest)'"), "\(log())")
            // Nor is a standby's refusal hidden by it.
            try archive.pgarchive("standby", "stop")
            expectRefusal(try archive.pgarchive.run("cron", "expire-and-create-snapshot"), status: 4)
            try archive.pgarchive("standby", "start")

            try writeMuch()
            let last = try archive.pgarchive.json("cron", "expire-and-create-snapshot", "--timeout", "2")
            let lastName = try #require(last.find("name")?.string)
            #expect(try debt(of: lastName, archive) > limit)
            #expect(log().contains("no newer checkpoint of upstream, waited for 2.0 s"), "\(log())")
            try archive.finish()
        }
    }

    /// As `snapshot list` shows it.
    private func debt(of name: String, _ archive: TestArchive) throws -> Double {
        guard let debt = try archive.pgarchive.json("snapshot", "list", name).find("debtBytes")?.number else {
            throw TestFailure("no debt is shown of '\(name)'")
        }
        return debt
    }
}
