import ArchiveModel
import Platform
import PostgresLink
import WALFormat

/// Settings that every server of a container gets on its command line, where they win over any file.
///
/// A copy of a cluster brings along what it did for a living: archiving, replication, jobs. None of it may go on here.
enum ServerSettings {
    static func isolation(major: Int) -> [(name: String, value: String)] {
        var settings: [(name: String, value: String)] = [
            ("archive_mode", "off"),
            ("archive_command", ""),
            ("archive_library", ""),
            ("primary_conninfo", ""),
            ("primary_slot_name", ""),
            ("synchronous_standby_names", ""),
            // Copied subscriptions would take over the publisher's slots.
            ("max_logical_replication_workers", "0"),
            ("ssl", "off"),
            // Takes effect where pg_cron is loaded, and is ignored elsewhere.
            ("cron.launch_active_jobs", "off"),
        ]
        if major >= 17 {
            settings.append(("summarize_wal", "off"))
            settings.append(("sync_replication_slots", "off"))
        }
        if major >= 18 { settings.append(("idle_replication_slot_timeout", "0")) }
        return settings
    }

    /// CSV logs, one file a weekday, each overwritten after a week.
    static func logging(directory: String) -> [(name: String, value: String)] {
        ServerLog(directory: directory).settings
    }

    /// Without the libraries that begin to work by themselves once their server is a primary.
    static func withoutJobs(_ libraries: String) -> String {
        libraries.split(separator: ",").map { $0.filter { $0 != " " } }
            .filter { $0 != "pg_cron" }
            .joined(separator: ",")
    }

    /// A share of this host's memory, as PostgreSQL writes sizes.
    ///
    /// Shared memory is taken only as it is touched.
    static func sharedBuffers(_ configured: String, share: UInt64, atMost limit: UInt64) -> String {
        guard configured.isEmpty else { return configured }
        let bytes = min(limit, SystemMemory.totalBytes / share)
        return "\(max(bytes, 16 << 20) >> 20)MB"
    }
}

extension Container {
    /// A restore_command that fetches from the archive.
    func restoreCommand(_ options: [String]) throws -> String {
        ShellWord.restoreCommand(
            [
                try ThisProgram.walHelper(), "fetch",
                "--archive", paths.walArchive,
                "--segment-size", String(segmentSize.bytes),
                "--system-identifier", String(identity.systemIdentifier),
            ] + options
        )
    }
}

/// Words for `/bin/sh`, which runs a restore_command.
enum ShellWord {
    static func quoted(_ word: String) -> String {
        "'" + word.replacingScalar("'", with: "'\\''") + "'"
    }

    /// For a command of PostgreSQL's, which replaces `%` before the shell sees the text.
    static func restoreCommand(_ words: [String]) -> String {
        command(words) + " \"%f\" \"%p\""
    }

    /// For people to copy: only what needs it is quoted.
    static func archiveCommand(_ words: [String]) -> String {
        let plain = Set("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_-+=:,./@")
        return words.map { plain.isSuperset(of: $0) ? $0 : command([$0]) }.joined(separator: " ") + " \"%p\""
    }

    private static func command(_ words: [String]) -> String {
        words.map { quoted($0.replacingScalar("%", with: "%%")) }.joined(separator: " ")
    }
}
