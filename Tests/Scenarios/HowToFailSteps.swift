import ArchiveTesting
import Foundation
import Testing

/// A server on files that somebody copied by hand; of its settings only port and socket are changed.
struct ServerByHand {
    let data: String
    let root: String
    let port: Int
    let bin: String

    /// Restores a base backup, as `cp -a` does, and starts it for the body.
    static func with(
        backup: String,
        of server: TestPostgres,
        in directory: TestDirectory,
        settings: String = "",
        signal: String? = nil,
        _ body: (ServerByHand) throws -> Void
    ) throws {
        let root = try directory.subdirectory("by-hand-\(UInt32.random(in: 0...UInt32.max))")
        let restored = ServerByHand(data: "\(root)/data", root: root, port: try FreePort.next(), bin: server.bin)
        try TestCommand("/bin/cp", ["-a", backup, restored.data]).succeed()
        try TestCommand("/bin/sh", ["-c", "cat >> '\(restored.data)/postgresql.conf'"])
            .succeed(input: settings + "\nport = \(restored.port)\nunix_socket_directories = '\(root)'\n")
        if let signal { try SpoiltFile.write("", to: "\(restored.data)/\(signal)") }
        defer { restored.control("-m", "immediate", "stop") }
        restored.control("-l", "\(root)/log", "-t", "60", "start")
        try body(restored)
    }

    private func control(_ words: String...) {
        _ = try? TestCommand("\(bin)/pg_ctl", ["-D", data, "-w"] + words).run(deadline: 90)
    }

    @discardableResult
    func sql(_ text: String) throws -> String { try ServerQuery.run(text, host: root, port: port, bin: bin) }

    var isRunning: Bool { FileManager.default.fileExists(atPath: "\(data)/postmaster.pid") }
    var log: String { (try? String(contentsOfFile: "\(root)/log", encoding: .utf8)) ?? "" }
}

extension TestPostgres {
    /// Changes postgresql.conf.
    func append(_ settings: String) throws {
        try TestCommand("/bin/sh", ["-c", "cat >> '\(data)/postgresql.conf'"]).succeed(input: settings + "\n")
    }

    /// A base backup with the WAL that it needs, by pg_basebackup.
    func baseBackup(to path: String) throws {
        try TestCommand(
            "\(bin)/pg_basebackup",
            ["-D", path, "-X", "fetch", "-c", "fast", "-d", replicationConnection]
        ).succeed(deadline: 120)
    }

    /// How often archive_command succeeded and failed.
    func archived() throws -> (count: Int, failed: Int, last: String) {
        let fields = try sql("select archived_count, failed_count, last_archived_wal from pg_stat_archiver")
            .split(separator: "|", omittingEmptySubsequences: false)
        guard fields.count == 3, let count = Int(fields[0]), let failed = Int(fields[1]) else {
            throw TestFailure("pg_stat_archiver says \(fields)")
        }
        return (count, failed, String(fields[2]))
    }

    /// Waits until archive_command has succeeded for a segment; settings are read again, which wakes the archiver.
    func waitUntilArchived(_ segment: String) throws {
        try eventually(within: 150, "\(segment) is archived", every: 0.2) {
            try archived().last >= segment
        }
    }

    /// Turns archive_mode off, fills some segments that nobody archives, and turns it on again.
    ///
    /// Returns the segments that were removed meanwhile, and a row of that time.
    func turnArchivingOffAndOn(oracle: Oracle) throws -> (lost: [String], within: (id: Int, after: String)) {
        try append("archive_mode = off")
        try restart()
        let inside = try oracle.writeRow("while archive_mode is off")
        var unarchived: [String] = []
        try eventually(within: 90, "checkpoints remove what nobody archived") {
            try unarchived.append(switchSegment())
            try sql("checkpoint")
            return unarchived.filter { !FileManager.default.fileExists(atPath: "\(data)/pg_wal/\($0)") }.count >= 2
        }
        try append("archive_mode = on")
        try restart()
        return (unarchived.filter { !FileManager.default.fileExists(atPath: "\(data)/pg_wal/\($0)") }, inside)
    }
}

extension TestArchive {
    /// The line that status prints for the upstream, set there.
    func ingest(_ how: String) throws {
        let settings = "\(path)/pgarchive.toml"
        let text = try String(contentsOfFile: settings, encoding: .utf8)
        try SpoiltFile.write(text.replacing("ingest = \"stream\"", with: "ingest = \"\(how)\""), to: settings)
        let status = try JSONValue(pgarchive.run(["container", "status", "--output", "json"]).output)
        try upstream.append(try #require(status?.find("archiveCommand")?.string))
        try upstream.sql("select pg_reload_conf()")
    }

    /// The end of a scenario whose archive is not like the upstream's copies on purpose.
    func endWithoutComparison() throws {
        try pgarchive("clone", "stop", "--all", "-m", "immediate")
        try pgarchive("container", "stop")
        try pgarchive("container", "purge", "--force")
    }
}

/// The programs of a plain directory, without a container.
enum PlainArchive {
    static func verify(_ directory: String, home: String) throws -> CommandResult {
        try PgArchive(home: home).run(["wal_archive", "verify", "--deep", "-D", directory])
    }

    static func pushCommand(to directory: String) throws -> String {
        "archive_command = '\(try BuiltPrograms.pgarchiveWAL()) push --to \(directory) \"%p\"'"
    }

    /// Content by name.
    static func files(_ directory: String) throws -> [String: Data] {
        var files: [String: Data] = [:]
        for name in try FileManager.default.contentsOfDirectory(atPath: directory) {
            files[name] = FileManager.default.contents(atPath: "\(directory)/\(name)")
        }
        return files
    }

    static func segments(_ directory: String) throws -> [String] {
        try FileManager.default.contentsOfDirectory(atPath: directory).filter { $0.count == 24 }.sorted()
    }
}
