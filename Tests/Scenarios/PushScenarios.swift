import ArchiveTesting
import Foundation
import Testing

/// WAL that the upstream's archive_command brings, alone or beside the receiver.
@Suite(
    "WAL by archive_command",
    .enabled(if: TestEnvironment.hasPostgres, TestEnvironment.noPostgres),
    .keepsEvidence
)
struct PushScenarios {
    private func set(_ ingest: String, _ archive: TestArchive) throws {
        let settings = "\(archive.path)/pgarchive.toml"
        let text = try String(contentsOfFile: settings, encoding: .utf8)
        try SpoiltFile.write(text.replacing("ingest = \"stream\"", with: "ingest = \"\(ingest)\""), to: settings)
        // Exactly the line that status prints.
        let status = try JSONValue(archive.pgarchive.run(["container", "status", "--output", "json"]).output)
        let line = try #require(status?.find("archiveCommand")?.string)
        let shown = try archive.pgarchive.run(["wal_archive", "status"])
        #expect(shown.output.contains("\n\(line)\n"), "\(shown)")
        try TestCommand("/bin/sh", ["-c", "cat >> '\(archive.upstream.data)/postgresql.conf'"])
            .succeed(input: "\(line)\n")
        try archive.upstream.sql("select pg_reload_conf()")
    }

    private func segments(_ archive: TestArchive) throws -> [String] {
        try FileManager.default.contentsOfDirectory(atPath: "\(archive.path)/wal_archive").sorted()
    }

    private func discard(_ archive: TestArchive) throws {
        try archive.pgarchive("clone", "stop", "--all", "-m", "immediate")
        try archive.pgarchive("container", "stop")
        try archive.pgarchive("container", "purge", "--force")
    }

    @Test func pushAloneFeedsTheStandbyAndTheClones() throws {
        try TestArchive.with(TestArchive.Options()) { archive in
            let oracle = try Oracle(archive.upstream)
            try archive.replayEverything()
            _ = try archive.takeSnapshot()
            try archive.pgarchive("wal_archive", "stop")
            try set("push", archive)
            try expectRefusal(
                archive.pgarchive.run(["wal_archive", "start"]),
                status: 4,
                mentions: "archive_command"
            )
            try archive.pgarchive("container", "start")
            #expect(archive.receivers.isEmpty)
            let row = try oracle.writeRow("pushed")
            let position = try #require(TransactionLog.position(archive.upstream.currentLSN()))
            try archive.upstream.switchSegment()
            try eventually(within: 60, "the segment is durable here") {
                let status = try archive.pgarchive.json("wal_archive", "status")
                guard let durable = status.find("stations")?.array.last?.find("position")?.string else { return false }
                return TransactionLog.position(durable) ?? 0 > position
            }
            // Nothing stands still: no process is missing.
            try archive.pgarchive("container", "status")
            try eventually(within: 60, "the standby has replayed it") {
                try archive.pgarchive.run(["standby", "psql", "-XAtqc", "select max(id) from oracle"]).text
                    == "\(row.id)"
            }
            _ = try archive.takeSnapshot()
            try archive.pgarchive("clone", "create", "now", "--latest", "--start")
            try #expect(archive.query("now", "select max(id) from oracle") == "\(row.id)")
            try discard(archive)
        }
    }

    /// archive_mode was off for a while, and the receiver away: only the newest segments were pushed.
    @Test func theReceiverSkipsNoHoleBeforeWhatWasPushed() throws {
        try TestArchive.with(TestArchive.Options()) { archive in
            let oracle = try Oracle(archive.upstream)
            try archive.replayEverything()
            _ = try archive.takeSnapshot()
            try oracle.writeRow("received, in a segment that is not complete")
            try archive.pgarchive("wal_archive", "stop")
            try set("both", archive)
            var names: [String] = []
            for number in 1...6 {
                try oracle.writeRow("segment \(number)")
                // By hand below: archiving was off.
                if number == 1 { try archive.upstream.sql("alter system set archive_command = '/bin/true'") }
                try archive.upstream.sql("select pg_reload_conf()")
                names.append(try archive.upstream.switchSegment())
            }
            let last = try oracle.writeRow("after them")
            let data = try archive.upstream.sql("show data_directory")
            let identifier = try archive.upstream.sql("select system_identifier from pg_control_system()")
            let keep = try archive.directory.subdirectory("keep")
            for name in names {
                try TestCommand("/bin/cp", ["\(data)/pg_wal/\(name)", "\(keep)/\(name)"]).succeed()
            }
            for name in [names[3], names[5]] {
                try TestCommand(
                    try BuiltPrograms.pgarchiveWAL(),
                    [
                        "push", "--archive", archive.walArchive, "--system-identifier", identifier,
                        "\(data)/pg_wal/\(name)",
                    ]
                ).succeed()
            }
            // What only the slot holds is needed: all else is gone after this.
            try archive.upstream.sql("checkpoint")
            let received = { try archive.upstream.sql("select restart_lsn from pg_replication_slots") }
            let before = try received()
            try archive.pgarchive("wal_archive", "start")
            try eventually(within: 60, "all is received") { Set(names).isSubset(of: archive.archivedSegments()) }
            for name in names {
                #expect(
                    FileManager.default.contents(atPath: "\(archive.walArchive)/\(name)")
                        == FileManager.default.contents(atPath: "\(keep)/\(name)"),
                    "\(name)"
                )
            }
            try #expect(archive.pgarchive.run("wal_archive", "log").output.contains("\(names[0]) is missing"))
            try eventually(within: 60, "all is acknowledged") { try received() > before }
            try archive.pgarchive("wal_archive", "verify", "--deep")
            try archive.pgarchive("container", "status")
            try archive.pgarchive("clone", "create", "now", "--latest", "--start")
            try #expect(archive.query("now", "select max(id) from oracle") == "\(last.id)")
            try discard(archive)
        }
    }

    /// A container of an older version: its archive gets the mark that push looks for, but not where it is not mounted.
    @Test func theArchiveIsMarkedWhereItsWALIs() throws {
        try TestArchive.with(TestArchive.Options()) { archive in
            try archive.replayEverything()
            let mark = "\(archive.walArchive)/system_identifier"
            let identifier = try archive.upstream.sql("select system_identifier from pg_control_system()")
            let made = try String(contentsOfFile: mark, encoding: .utf8)
            #expect(made == "\(identifier)\n")
            try FileManager.default.removeItem(atPath: mark)
            try archive.pgarchive("container", "stop")
            let hidden = "\(archive.path)/hidden"
            try TestCommand("/bin/sh", ["-c", "cd '\(archive.path)' && mv wal_archive hidden && mkdir wal_archive"])
                .succeed()
            _ = try archive.pgarchive.run("container", "start")
            try archive.pgarchive("container", "stop")
            #expect(!FileManager.default.fileExists(atPath: mark))
            try TestCommand("/bin/sh", ["-c", "cd '\(archive.path)' && rm -r wal_archive && mv hidden wal_archive"])
                .succeed()
            #expect(!FileManager.default.fileExists(atPath: hidden))
            try archive.pgarchive("container", "start")
            let again = try String(contentsOfFile: mark, encoding: .utf8)
            #expect(again == made)
            try archive.finish()
        }
    }

    @Test func bothDeliveriesAreOneCopyOrAnAlarm() throws {
        try TestArchive.with(TestArchive.Options()) { archive in
            let oracle = try Oracle(archive.upstream)
            try set("both", archive)
            for number in 1...5 {
                try oracle.writeRow("segment \(number)")
                try archive.upstream.switchSegment()
            }
            let last = try archive.upstream.sql("select pg_walfile_name(pg_current_wal_lsn() - 1)")
            try eventually(within: 60, "all is pushed") {
                try archive.upstream.sql("select coalesce(last_archived_wal, '') from pg_stat_archiver") >= last
            }
            try #expect(archive.upstream.sql("select failed_count from pg_stat_archiver") == "0")
            try eventually(within: 30, "one copy of each is left") {
                let files = try segments(archive)
                return files.contains(last) && Set(files.map { $0.prefix(24) }).count == files.count
            }
            try archive.pgarchive("container", "status")

            // The same segment with other content, as from a second server.
            let data = try archive.upstream.sql("select setting from pg_settings where name = 'data_directory'")
            var other = try #require(FileManager.default.contents(atPath: "\(archive.path)/wal_archive/\(last)"))
            other[70] ^= 1
            try SpoiltFile.write(other, to: "\(data)/\(last)")
            let identifier = try archive.upstream.sql("select system_identifier from pg_control_system()")
            let result = try TestCommand(
                try BuiltPrograms.pgarchiveWAL(),
                [
                    "push", "--archive", "\(archive.path)/wal_archive", "--system-identifier", identifier,
                    "\(data)/\(last)",
                ]
            ).run()
            #expect(result.status == 7, "\(result)")
            let status = try archive.pgarchive.run(["wal_archive", "status"])
            #expect(status.output.contains("was delivered a second time with other content"), "\(status)")
            try discard(archive)
        }
    }
}
