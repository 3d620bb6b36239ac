import ArchiveTesting
import Foundation
import Testing

/// The advice that came with the four ways to fail: rehearse, keep everything, let nobody in, be able to try again.
@Suite(
    "How to succeed",
    .enabled(if: TestEnvironment.hasPostgres, TestEnvironment.noPostgres),
    .keepsEvidence
)
struct HowToSucceedScenarios {
    /// Recovery is tried out before it is needed, while production runs, and tells what it did.
    @Test("How to succeed: test your recovery procedures before you need them") func rehearse() throws {
        var options = TestArchive.Options()
        options.pgbenchScale = 1
        try TestArchive.with(options) { archive in
            let oracle = try Oracle(archive.upstream)
            try archive.replayEverything()
            _ = try archive.takeSnapshot()
            let old = try oracle.writeRow("an old moment")
            _ = try oracle.writeRow("later")
            try archive.switchAndReceive()
            let load = try archive.upstream.startPgbench(seconds: 600, clients: 2, rate: 50)
            defer { load.signal(SIGINT) }

            try archive.pgarchive("clone", "create", "rehearsal", "--at", old.after, "--start", deadline: 180)
            try #expect(archive.query("rehearsal", "select max(id) from oracle") == "\(old.id)")
            let log = try String(contentsOfFile: "\(archive.path)/clones/rehearsal/log/recovery.log", encoding: .utf8)
            for words in ["asked for", "planned: from snapshot", "replayed from", "stopped at"] {
                #expect(log.contains(words), "\(log)")
            }
            // The whole of it, as it would be done; it is not started beside production.
            let place = "\(archive.directory.path)/rehearsal"
            try archive.pgarchive("restore", "--to", place, "--at", old.after, deadline: 180)
            try ServerByHand.with(
                backup: place,
                of: archive.upstream,
                in: archive.directory,
                settings: "archive_mode = off"
            ) { restored in
                try #expect(restored.sql("select max(id) from oracle") == "\(old.id)")
            }
            #expect(load.isRunning, "production was not disturbed")
            load.signal(SIGINT)
            _ = try load.wait()
            try archive.switchAndReceive()
            try archive.finish()
        }
    }

    /// A crash, a mistake, another attempt: what there was is still there, and nobody gets in before it is ready.
    @Test("How to succeed: keep everything, let nobody in, and retry") func recover() throws {
        var options = TestArchive.Options()
        options.upstream.settings = ["listen_addresses": "'127.0.0.1'"]
        options.upstream.hostBasedAuthentication =
            "local all all trust\nlocal replication all trust\nhost all all 127.0.0.1/32 trust\n"
        try TestArchive.with(options) { archive in
            let oracle = try Oracle(archive.upstream)
            try archive.replayEverything()
            _ = try archive.takeSnapshot()
            let early = try oracle.writeRow("early")
            _ = try oracle.writeRow("received")
            try archive.switchAndReceive()
            try archive.pgarchive("wal_archive", "stop")
            let last = try oracle.writeRow("not received")
            try archive.upstream.killHard()
            let crashed = archive.upstream.data
            let untouched = try Self.digest(crashed)

            // A mistake: the target was too early.
            let mistake = "\(archive.directory.path)/attempt-1"
            try archive.pgarchive("restore", "--to", mistake, "--at", early.after, deadline: 180)
            // Onto the crashed cluster, or onto the first attempt, it does not go.
            for place in [crashed, mistake] {
                expectRefusal(try archive.pgarchive.run("restore", "--to", place), status: 4)
            }

            // The second attempt, looked at while it has not finished.
            let target = "\(archive.directory.path)/attempt-2"
            let mark = "\(archive.directory.path)/mark"
            let attempt = try archive.pgarchive.setting("PGARCHIVE_FAULT", "clone.beforePromote=stop")
                .setting("PGARCHIVE_FAULT_MARK", mark)
                .start("restore", "--to", target, "--wal-from", crashed, "--start")
            try eventually(within: 120, "it has replayed") { FileManager.default.fileExists(atPath: mark) }
            #expect(!ProcessTable.living(in: target).isEmpty, "its server runs")
            try #expect(Self.overNetwork(archive.upstream).status != 0)
            #expect(throws: (any Error).self) { try archive.upstream.sql("select 1") }
            attempt.signal(SIGCONT)
            let result = try attempt.wait(deadline: 180)
            #expect(result.status == 0, "\(result)")
            defer {
                _ = try? TestCommand("\(archive.upstream.bin)/pg_ctl", ["-D", target, "-m", "immediate", "-w", "stop"])
                    .run()
            }
            // Now it listens where production did, and nothing is lost.
            let answer = try Self.overNetwork(archive.upstream)
            #expect(answer.text == "\(last.id)", "\(answer)")
            try #expect(Self.digest(crashed) == untouched, "the crashed cluster's files are as they were")
        }
    }

    private static func overNetwork(_ server: TestPostgres) throws -> CommandResult {
        try TestCommand(
            "\(server.bin)/psql",
            [
                "-XAtq", "-h", "127.0.0.1", "-p", "\(server.port)", "-U", "postgres", "-c",
                "select max(id) from oracle",
            ]
        ).run()
    }

    /// Names and content of everything below.
    private static func digest(_ directory: String) throws -> String {
        try TestCommand(
            "/bin/sh",
            ["-c", "cd '\(directory)' && find . -type f -print0 | sort -z | xargs -0 sha256sum | sha256sum"]
        ).succeed().text
    }
}
