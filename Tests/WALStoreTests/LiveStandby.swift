import ArchiveTesting
import Foundation
import WALFormat

/// A real server that recovers by `pgarchive-wal fetch`, from a base backup.
final class LiveStandby: Sendable {
    let server: TestPostgres
    let archive: String
    let holdFile: String
    let endFile: String

    /// Copies a backup and makes a standby of it; `start` runs it.
    init(_ directory: TestDirectory, backup: String, archive: String) throws {
        server = try TestPostgres(in: directory, name: "standby")
        self.archive = archive
        holdFile = "\(server.root)/hold"
        endFile = "\(server.root)/end"
        try TestCommand("/bin/rm", ["-rf", server.data]).succeed()
        try TestCommand("/bin/cp", ["-a", backup, server.data]).succeed()
        try TestCommand(
            "/bin/sh",
            ["-c", "cat >> '\(server.data)/postgresql.conf'; touch '\(server.data)/standby.signal'"]
        )
        .succeed(
            input: """
                port = \(server.port)
                unix_socket_directories = '\(server.sockets)'
                archive_mode = off
                hot_standby = on
                recovery_prefetch = off
                wal_retrieve_retry_interval = '20ms'
                include 'restore.conf'

                """
        )
    }

    /// Sets the restore_command, and reloads it where the server runs.
    func restore(_ arguments: [String]) throws {
        let words =
            [try BuiltPrograms.pgarchiveWAL(), "fetch", "--archive", archive, "--segment-size", "1048576"] + arguments
        let command = words.joined(separator: " ") + " \"%f\" \"%p\""
        try TestCommand("/bin/sh", ["-c", "cat > '\(server.data)/restore.conf'"])
            .succeed(input: "restore_command = '\(command)'\n")
        if let postmaster = server.postmaster { kill(postmaster.pid, SIGHUP) }
    }

    func waitsForWAL() throws {
        try restore(["--wait", "--hold-file", holdFile])
    }

    func replayed() throws -> LSN? {
        LSN(try server.sql("select pg_last_wal_replay_lsn()"))
    }

    func hold() -> [String: Any]? {
        guard let data = FileManager.default.contents(atPath: holdFile) else { return nil }
        return try? JSONSerialization.jsonObject(with: data) as? [String: Any]
    }
}
