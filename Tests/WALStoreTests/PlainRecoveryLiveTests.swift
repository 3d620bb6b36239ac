import ArchiveTesting
import Foundation
import Testing
import WALFormat

/// PostgreSQL itself recovers by `fetch --from`, across a change of timelines: to the end that there is, or not at all.
@Suite(.enabled(if: TestEnvironment.hasPostgres, TestEnvironment.noPostgres))
struct PlainRecoveryLiveTests {
    /// An archive as archive_command leaves it, and a backup from before all.
    private func with(_ body: (TestDirectory, TestPostgres, _ backup: String) throws -> Void) throws {
        try TestDirectory.with { directory in
            let server = try TestPostgres(in: directory)
            defer { server.destroy() }
            try server.start()
            let backup = "\(directory.path)/backup"
            try TestCommand(
                "\(server.bin)/pg_basebackup",
                ["-d", server.replicationConnection, "-D", backup, "-X", "none", "-c", "fast", "--no-sync"]
            ).succeed()
            try server.sql("create table t (n int)")
            for n in 1...3 {
                try server.sql("insert into t values (\(n))")
                try server.switchAndArchive()
            }
            try server.sql("insert into t values (4)")
            try server.changeTimeline()
            try server.sql("insert into t values (5)")
            try server.switchAndArchive()
            try server.stop()
            try body(directory, server, backup)
        }
    }

    /// Recovers a copy of the backup; the last row, or nil where PostgreSQL would not open the database.
    private func recover(
        _ directory: TestDirectory,
        _ name: String,
        _ backup: String,
        from archive: String,
        timeline: String
    ) throws -> (last: String?, log: String) {
        let server = try TestPostgres(in: directory, name: name)
        defer { server.destroy() }
        try TestCommand("/bin/sh", ["-c", "rm -rf '\(server.data)' && cp -a '\(backup)' '\(server.data)'"]).succeed()
        let fetch = "\(try BuiltPrograms.pgarchiveWAL()) fetch --from \(archive) \"%f\" \"%p\""
        try TestCommand("/bin/sh", ["-c", "cd '\(server.data)' && touch recovery.signal && cat >> postgresql.conf"])
            .succeed(
                input: """
                    port = \(server.port)
                    unix_socket_directories = '\(server.sockets)'
                    archive_mode = off
                    restore_command = '\(fetch)'
                    recovery_target_timeline = '\(timeline)'

                    """
            )
        do {
            try server.start()
            try eventually(within: 60, "it has recovered") { try server.sql("select pg_is_in_recovery()") == "f" }
            return (try server.sql("select max(n) from t"), server.log)
        } catch {
            return (nil, server.log)
        }
    }

    @Test(.timeLimit(.minutes(5)))
    func bothTimelinesToTheirEndsAndNeverToAHole() throws {
        try with { directory, server, backup in
            for (timeline, last) in [("latest", "5"), ("1", "4")] {
                let result = try recover(directory, "to-\(timeline)", backup, from: server.copies, timeline: timeline)
                #expect(result.last == last, "\(timeline): \(result.log)")
            }
            let names = try FileManager.default.contentsOfDirectory(atPath: server.copies).sorted()
            let segments = names.filter { SegmentName($0) != nil && $0.hasPrefix("00000001") }
            let left = try #require(names.first { $0.hasSuffix(".partial") })
            // The last whole segments of timeline 1, and the one in which it was left, never came.
            let holed = try directory.subdirectory("holed")
            for (gone, timeline) in [
                (Array(segments.suffix(2)), "latest"), (segments.suffix(2) + [left], "latest"), ([left], "1"),
            ] {
                try TestCommand("/bin/sh", ["-c", "rm -f '\(holed)'/*; cp '\(server.copies)'/* '\(holed)'"]).succeed()
                for name in gone { try TestCommand("/bin/rm", ["\(holed)/\(name)"]).succeed() }
                let name = "holed-\(gone.count)-\(timeline)"
                let result = try recover(directory, name, backup, from: holed, timeline: timeline)
                #expect(
                    result.last == nil && result.log.contains("is not in the archive, though"),
                    "\(name): \(result.log)"
                )
            }
        }
    }
}
