import ArchiveTesting
import Foundation
import Testing

/// What looks at all WAL needs as much memory for a long archive as for a short one.
@Suite(
    "Memory does not grow with the archive",
    .enabled(if: TestEnvironment.hasPostgres, TestEnvironment.noPostgres),
    .keepsEvidence
)
struct MemoryScenarios {
    /// The long archive's WAL beyond the short one's, in megabytes: what keeps a tenth of it is found.
    private static let further = 160
    private static let allowed = further / 10

    @Test(.timeLimit(.minutes(10))) func peaksStayWhereTheyAre() throws {
        try TestArchive.with(TestArchive.Options()) { archive in
            try archive.replayEverything()
            _ = try archive.takeSnapshot()
            let upstream = archive.upstream
            // Rows, deletions and drops: what index and events are made of.
            try upstream.sql("create table kept (n int, t text)")
            try Self.write(24, upstream)
            try archive.switchAndReceive(within: 120)
            let short = try Self.commands.map { try peak(of: $0, archive) }
            try Self.write(Self.further, upstream)
            let segments = archive.archivedSegments().count
            try archive.switchAndReceive(within: 300)
            #expect(archive.archivedSegments().count > segments)
            for (command, before) in zip(Self.commands, short) {
                let after = try peak(of: command, archive)
                #expect(after < before + Self.allowed << 10, "\(command): \(before) kB, then \(after) kB")
            }
        }
    }

    private static let commands = [
        ["wal_archive", "verify", "--deep"], ["wal_archive", "index", "--rebuild"], ["wal_archive", "events"],
        ["wal_archive", "window"], ["clone", "create", "look", "--latest", "--dry-run"],
        ["wal_archive", "inspect", "0/2000000..", "--stats"],
    ]

    private static func write(_ megabytes: Int, _ upstream: TestPostgres) throws {
        for _ in 0..<(megabytes / 8) {
            try upstream.sql(
                """
                insert into kept select n, repeat('x', 400) from generate_series(1, 10000) n;
                delete from kept where n % 2 = 0; create table passing as select * from kept limit 1000;
                drop table passing; truncate kept
                """
            )
        }
    }

    /// The most memory that a command's process held, in kB.
    private func peak(of arguments: [String], _ archive: TestArchive) throws -> Int {
        let process = try archive.pgarchive.command(arguments).start()
        var peak = 0
        // The kernel's own high-water mark; it is read until there is none.
        try eventually(within: 300, "it ends", every: 0.001) {
            peak = max(peak, Self.highWater(process.pid) ?? 0)
            return !process.isRunning
        }
        let result = try process.wait()
        #expect(result.status == 0, "\(result)")
        #expect(peak > 4096, "\(arguments): \(peak) kB")
        return peak
    }

    private static func highWater(_ pid: Int32) -> Int? {
        guard let text = try? String(contentsOfFile: "/proc/\(pid)/status", encoding: .utf8),
            let line = text.split(separator: "\n").first(where: { $0.hasPrefix("VmHWM:") })
        else { return nil }
        return line.split(whereSeparator: \.isWhitespace).dropFirst().first.flatMap { Int($0) }
    }
}
