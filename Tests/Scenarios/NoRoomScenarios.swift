import ArchiveTesting
import Foundation
import Testing

/// Jobs that need room on a disk that has none: they say so, and leave everything as it was.
@Suite(
    "No room",
    .enabled(if: TestEnvironment.hasPostgres, TestEnvironment.noPostgres),
    .enabled(if: TestEnvironment.canMount, TestEnvironment.noMount),
    .keepsEvidence
)
struct NoRoomScenarios {
    @Test func defragmentingIsRefused() throws {
        var options = TestArchive.Options(.btrfs)
        options.megabytes = 1024
        try TestArchive.with(options) { archive in
            // Less than the standby is large, and enough for what is received meanwhile.
            let filler = "\(archive.filesystem.path)/filler"
            try TestCommand.asCaller("/bin/sync", ["-f", archive.filesystem.path]).succeed()
            let free = try Self.freeMegabytes(archive.filesystem.path)
            try TestCommand.asCaller("fallocate", ["-l", "\(free - 25)M", filler]).succeed()
            let refused = try archive.pgarchive.run("cron", "defrag-btrfs")
            expectRefusal(refused, status: 4, mentions: "are free")
            let log = try String(contentsOfFile: "\(archive.path)/log/cron_btrfs.log", encoding: .utf8)
            #expect(log.contains("are free"), "\(log)")
            try TestCommand.asCaller("/bin/rm", [filler]).succeed()
            try TestCommand.asCaller("/bin/sync", ["-f", archive.filesystem.path]).succeed()
            try archive.pgarchive("cron", "defrag-btrfs")
            try archive.replayEverything()
            try archive.finish()
        }
    }

    @Test func compressionKeepsTheOriginals() throws {
        var options = TestArchive.Options(.tmpfs)
        options.megabytes = 300
        try TestArchive.with(options) { archive in
            try archive.upstream.sql("create table t as select n, md5(n::text) from generate_series(1, 20000) n")
            try archive.upstream.sql("checkpoint")
            try archive.replayEverything()
            _ = try archive.takeSnapshot()
            let filler = "\(archive.filesystem.path)/filler"
            _ = try TestCommand("/bin/dd", ["if=/dev/zero", "of=\(filler)", "bs=4k"]).run()
            let before = try FileManager.default.contentsOfDirectory(atPath: archive.walArchive).sorted()
            let failed = try archive.pgarchive.run("cron", "compress-wal-archive", "2")
            expectRefusal(failed, status: 1, mentions: "could not be compressed")
            #expect(failed.error.contains("originals are kept"), "\(failed)")
            try #expect(FileManager.default.contentsOfDirectory(atPath: archive.walArchive).sorted() == before)
            try TestCommand("/bin/rm", [filler]).succeed()
            try archive.pgarchive("cron", "compress-wal-archive", "2")
            #expect(
                try FileManager.default.contentsOfDirectory(atPath: archive.walArchive).contains {
                    $0.hasSuffix(".zst")
                }
            )
            try archive.replayEverything(within: 90)
            try archive.finish()
        }
    }

    private static func freeMegabytes(_ path: String) throws -> Int {
        let shown = try TestCommand("/bin/df", ["--output=avail", "-BM", path]).succeed().lines.last ?? ""
        guard let free = Int(shown.filter(\.isNumber)) else { throw TestFailure("df says \(shown)") }
        return free
    }
}
