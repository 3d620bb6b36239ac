import Foundation

/// Recovery of a snapshot's files by PostgreSQL's own recovery_target settings, from the upstream's own copies of its
/// WAL: what clones are compared with.
package struct PostgresRecovery: Sendable {
    package let upstream: TestPostgres
    /// The data directory of a snapshot.
    package let source: String
    package let directory: TestDirectory

    package init(_ archive: TestArchive, snapshot: String) {
        upstream = archive.upstream
        source = "\(archive.path)/snapshots/\(snapshot)/root/data"
        directory = archive.directory
    }

    /// What the recovered and promoted server answers; nil when it ended instead, as for a target that it does not
    /// reach.
    package func answer(_ targets: [String: String], _ query: String, database: String = "postgres") throws -> String? {
        let root = try directory.subdirectory("recovery-\(UInt32.random(in: 0...UInt32.max))")
        defer { _ = try? TestCommand.asCaller("/bin/rm", ["-rf", root]).run() }
        let data = "\(root)/data"
        let port = try FreePort.next()
        var settings = [
            "port": "\(port)", "listen_addresses": "''", "unix_socket_directories": "'\(root)'", "fsync": "off",
            "shared_buffers": "16MB", "max_prepared_transactions": "10", "track_commit_timestamp": "on",
            "restore_command": "'cp \(upstream.copies)/%f \"%p\"'", "recovery_target_action": "promote",
            "timezone": "UTC",
        ]
        for (name, value) in targets { settings[name] = "'\(value)'" }
        let text = settings.sorted { $0.key < $1.key }.map { "\($0.key) = \($0.value)\n" }.joined()
        try TestCommand(
            "/bin/sh",
            [
                "-ec",
                """
                cp -a '\(source)' '\(data)'; cd '\(data)'
                rm -rf standby.signal postmaster.pid postgresql.auto.conf pg_wal/*
                mkdir -p pg_wal/archive_status; touch recovery.signal
                cat > postgresql.conf; echo 'local all all trust' > pg_hba.conf; chmod 700 .
                """,
            ]
        ).succeed(input: text)
        let control = "\(upstream.bin)/pg_ctl"
        // It may end before the target, or while it is waited for: what it does afterwards counts.
        _ = try TestCommand(control, ["-D", data, "-l", "\(root)/log", "-w", "-t", "60", "start"]).run(deadline: 90)
        defer { _ = try? TestCommand(control, ["-D", data, "-m", "immediate", "-w", "stop"]).run() }
        let deadline = Date(timeIntervalSinceNow: 90)
        while Date() < deadline {
            if !FileManager.default.fileExists(atPath: "\(data)/postmaster.pid") {
                let log = (try? String(contentsOfFile: "\(root)/log", encoding: .utf8)) ?? ""
                guard log.contains("before configured recovery target was reached") || log.contains("FATAL") else {
                    throw TestFailure("PostgreSQL did not recover: \(log)")
                }
                return nil
            }
            if try sql("select pg_is_in_recovery()", root, port, "postgres").text == "f" {
                let result = try sql(query, root, port, database)
                return result.status == 0 ? result.text : "error: \(result.error)"
            }
            usleep(20_000)
        }
        throw TestFailure("PostgreSQL did not recover in time")
    }

    private func sql(_ text: String, _ host: String, _ port: Int, _ database: String) throws -> CommandResult {
        try TestCommand(
            "\(upstream.bin)/psql",
            [
                "-XAtq", "-v", "ON_ERROR_STOP=1", "-h", host, "-p", "\(port)", "-U", "postgres", "-d", database, "-c",
                text,
            ]
        ).run()
    }
}
