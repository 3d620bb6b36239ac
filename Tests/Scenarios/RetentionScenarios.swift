import ArchiveTesting
import Foundation
import Testing
import WALFormat

/// Expiry removes what is old, and never what something still needs.
@Suite(
    "Retention",
    .enabled(if: TestEnvironment.hasPostgres, TestEnvironment.noPostgres),
    .keepsEvidence
)
struct RetentionScenarios {
    @Test(arguments: TestFilesystem.Kind.btrfsOrElsePlain)
    func expiryKeepsWhatIsNeeded(_ kind: TestFilesystem.Kind) throws {
        try TestArchive.with(TestArchive.Options(kind)) { archive in
            let oracle = try Oracle(archive.upstream)
            var names: [String] = []
            var moments: [String] = []
            for round in 1...4 {
                moments.append(try oracle.writeRow("round \(round)").after)
                try archive.upstream.sql("checkpoint")
                try archive.replayEverything()
                names.append(try archive.takeSnapshot().name)
                moments[round - 1] = try oracle.writeRow("after snapshot \(round)").after
                try archive.switchAndReceive()
            }
            // A clone that has not been started yet still needs its WAL.
            try archive.pgarchive("clone", "create", "waiting", "--at", moments[0])
            let expire = archive.pgarchive.setting("EXPIRE_DATE", "now")
            let segments = archive.archivedSegments()
            let shown = try expire("snapshot", "expire", "--show")
            #expect(shown.output.contains(names[0]), "\(shown)")
            #expect(archive.archivedSegments() == segments)
            try #expect(archive.pgarchive("snapshot", "list", "--quiet").lines == names)

            try expire("snapshot", "expire")
            // keep.minimum is 2, and the clone's own snapshot stays as long as it has not recovered.
            let kept = try archive.pgarchive("snapshot", "list", "--quiet").lines
            #expect(kept == [names[0]] + names.suffix(2))
            let needed = archive.archivedSegments()
            #expect(needed == Array(segments.suffix(needed.count)))
            try archive.pgarchive("clone", "start", "waiting")
            try #expect(archive.query("waiting", "select count(*) from oracle") == "2")
            try archive.discard("waiting")

            try expire("snapshot", "expire")
            let remaining = try archive.pgarchive("snapshot", "list", "--quiet").lines
            #expect(remaining == Array(names.suffix(2)))
            let left = archive.archivedSegments()
            #expect(left.count < needed.count && left == Array(segments.suffix(left.count)))
            for (index, moment) in moments.enumerated().suffix(2) {
                let name = "r\(index)"
                try archive.pgarchive("clone", "create", name, "--at", moment, "--start")
                try #expect(archive.query(name, "select count(*) from oracle") == "\(2 * (index + 1))")
                try archive.discard(name)
            }
            let gone = try archive.pgarchive.run("clone", "create", "gone", "--at", moments[0])
            expectRefusal(gone, status: 4)
            // The default keeps a week.
            try archive.pgarchive("snapshot", "expire")
            try #expect(archive.pgarchive("snapshot", "list", "--quiet").lines == Array(names.suffix(2)))
            try archive.pgarchive("standby", "restart")
            try archive.replayEverything()
            try archive.finish()
        }
    }

    /// When the clock jumps ahead, all snapshots are old at once.
    @Test func mostSnapshotsGoOnlyByAClockThatIsBelieved() throws {
        try TestArchive.with(TestArchive.Options()) { archive in
            for _ in 1...5 { _ = try archive.takeSnapshot() }
            let names = try archive.pgarchive("snapshot", "list", "--quiet").lines
            #expect(names.count == 5)
            try archive.pgarchive("container", "stop")
            let file = "\(archive.path)/run/receiver.json"
            let status = try String(contentsOfFile: file, encoding: .utf8)
            let heard = try #require(JSONValue(status)?["heardAt"]?.string.flatMap { PostgresTime($0) })
            let before = PostgresTime(rawValue: heard.rawValue - 3 * 86_400_000_000)
            // What the jump makes of it: the upstream was last heard three days ago.
            try SpoiltFile.write(status.replacing("\(heard)", with: "\(before)"), to: file)
            let expire = archive.pgarchive.setting("EXPIRE_DATE", "now")
            for arguments in [["snapshot", "expire", "--show"], ["snapshot", "expire"]] {
                try expectRefusal(expire.run(arguments), status: 4, mentions: "3 days ago")
            }
            try #expect(archive.pgarchive("snapshot", "list", "--quiet").lines == names)
            try archive.pgarchive("container", "start")
            try eventually("the upstream is heard") {
                let now = try String(contentsOfFile: file, encoding: .utf8)
                return JSONValue(now)?["heardAt"]?.string.flatMap { PostgresTime($0) }.map { $0 > heard } ?? false
            }
            try expire("snapshot", "expire")
            try #expect(archive.pgarchive("snapshot", "list", "--quiet").lines == Array(names.suffix(2)))
            try archive.switchAndReceive()
            try archive.finish()
        }
    }

    /// What was before the upstream's end must not go, however long nobody looks.
    @Test func nothingExpiresWhileNothingIsReceived() throws {
        try TestArchive.with(TestArchive.Options()) { archive in
            for _ in 1...5 { _ = try archive.takeSnapshot() }
            let names = try archive.pgarchive("snapshot", "list", "--quiet").lines
            let settings = "\(archive.path)/pgarchive.toml"
            let text = try String(contentsOfFile: settings, encoding: .utf8)
            try SpoiltFile.write(text.replacing("\"1 week ago\"", with: "\"1 second ago\""), to: settings)
            try archive.pgarchive("container", "stop")
            let file = "\(archive.path)/run/receiver.json"
            let status = try String(contentsOfFile: file, encoding: .utf8)
            let heard = try #require(JSONValue(status)?["heardAt"]?.string.flatMap { PostgresTime($0) })
            let before = PostgresTime(rawValue: heard.rawValue - 3 * 3_600_000_000)
            try SpoiltFile.write(status.replacing("\(heard)", with: "\(before)"), to: file)

            let sign = "nothing has been received from the upstream since"
            let shown = try archive.pgarchive("snapshot", "expire", "--show")
            #expect(shown.error.contains(sign) && !shown.output.contains("delete"), "\(shown)")
            let cron = try archive.pgarchive.run("cron", "expire-and-create-snapshot")
            #expect(cron.error.contains(sign), "\(cron)")
            let log = try String(contentsOfFile: "\(archive.path)/log/cron_snapshot.log", encoding: .utf8)
            #expect(log.contains(sign), "\(log)")
            try #expect(archive.pgarchive("snapshot", "list", "--quiet").lines == names)
            // Nothing tells of an upstream at all.
            try FileManager.default.removeItem(atPath: file)
            try archive.pgarchive("snapshot", "expire")
            try #expect(archive.pgarchive("snapshot", "list", "--quiet").lines == names)

            try archive.pgarchive("container", "start")
            try eventually("the upstream is heard") {
                let now = (try? String(contentsOfFile: file, encoding: .utf8)) ?? ""
                return JSONValue(now)?["heartbeatClock"]?.string != nil
            }
            let expired = try archive.pgarchive("snapshot", "expire")
            #expect(!expired.error.contains(sign), "\(expired)")
            try #expect(archive.pgarchive("snapshot", "list", "--quiet").lines == Array(names.suffix(2)))
            try archive.switchAndReceive()
            try archive.finish()
        }
    }

    /// Compression never disturbs those who read, and what it leaves is the same WAL.
    @Test func compressionUnderLoad() throws {
        var options = TestArchive.Options()
        options.pgbenchScale = 1
        try TestArchive.with(options) { archive in
            _ = try archive.takeSnapshot()
            let load = try archive.upstream.startPgbench(seconds: 6, clients: 4)
            while load.isRunning {
                // As when cron starts the next before the last one has ended.
                let jobs = try (0..<3).map { _ in try archive.pgarchive.start("cron", "compress-wal-archive", "2") }
                for job in jobs {
                    let result = try job.wait()
                    #expect(result.status == 0, "\(result)")
                }
            }
            let log = try String(contentsOfFile: "\(archive.path)/log/cron_wal_archive.log", encoding: .utf8)
            #expect(log.contains("runs already"))
            try load.wait()
            try archive.replayEverything()
            try archive.pgarchive("cron", "compress-wal-archive", "2")
            let names = try FileManager.default.contentsOfDirectory(atPath: archive.walArchive)
            #expect(names.filter { $0.hasSuffix(".zst") }.count > 3)
            try archive.pgarchive("clone", "create", "compressed", "--latest", "--start")
            try #expect(
                archive.query("compressed", "select count(*) from pgbench_history")
                    == archive.upstream.sql("select count(*) from pgbench_history")
            )
            try archive.finish()
        }
    }
}
