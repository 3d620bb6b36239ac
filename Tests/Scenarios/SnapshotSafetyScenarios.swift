import ArchiveTesting
import Foundation
import Testing

/// No snapshot is listed that a clone could not be made of.
@Suite(
    "Snapshots that would be torn",
    .enabled(if: TestEnvironment.hasPostgres, TestEnvironment.noPostgres),
    .keepsEvidence
)
struct SnapshotSafetyScenarios {
    /// A file-by-file copy of a standby that was down when it began and is started meanwhile.
    @Test func aForcedCopyOfAStandbyThatStartsMeanwhile() throws {
        try TestArchive.with(TestArchive.Options()) { archive in
            try archive.upstream.sql("create table t as select 1 as n")
            try archive.replayEverything()
            try archive.pgarchive("standby", "stop")
            let copying = try archive.halt(at: "copy.beforeFile", passage: 20, ["snapshot", "create", "--force"])
            try archive.pgarchive("standby", "start")
            try archive.upstream.sql("insert into t values (2)")
            try archive.replayEverything()
            // It need not run any more to have spoilt the copy.
            try archive.pgarchive("standby", "stop")
            copying.signal(SIGCONT)
            let result = try copying.wait()
            expectRefusal(result, status: 7, mentions: "was started while it was copied")
            try #expect(archive.pgarchive("snapshot", "list", "--quiet").lines.isEmpty)

            // Left alone it is a snapshot, for who names it.
            let forced = try archive.pgarchive.json("snapshot", "create", "--force", "--name", "forced")
            #expect(forced.find("live")?.bool == false)
            try archive.pgarchive("standby", "start")
            try archive.pgarchive("clone", "create", "forced", "cold", "--start")
            try #expect(archive.query("cold", "select sum(n) from t") == "3")
            try archive.switchAndReceive()
            try archive.finish()
        }
    }

    /// Pages that may be torn are mended by full pages in the WAL only.
    @Test(arguments: [TestFilesystem.Kind.plain, .btrfs])
    func fullPageWritesTurnedOffAfterTheCheckpoint(_ kind: TestFilesystem.Kind) throws {
        try TestArchive.with(TestArchive.Options(kind)) { archive in
            let checkpoint = "select checkpoint_lsn from pg_control_checkpoint()"
            try archive.upstream.sql("checkpoint")
            try archive.replayEverything()
            let before = try archive.upstream.sql(checkpoint)
            try archive.upstream.sql("create table t as select 1 as n")
            try archive.upstream.sql("alter system set full_page_writes = off")
            try archive.upstream.sql("select pg_reload_conf()")
            // Its checkpointer writes that into the WAL a moment later.
            try eventually(within: 30, "no snapshot is taken", every: 0.2) {
                try archive.replayEverything()
                let refused = try archive.pgarchive.run("snapshot", "create", "--name", "unsafe")
                if refused.status == 0 { try archive.pgarchive("snapshot", "delete", "unsafe") }
                return refused.status == 4 && refused.error.contains("full_page_writes")
            }
            // It was seen without a checkpoint that tells of it.
            try #expect(archive.upstream.sql(checkpoint) == before)
            let forced = try archive.pgarchive.run("snapshot", "create", "--force", "--name", "unsafe")
            if kind == .btrfs {
                #expect(forced.status == 0, "\(forced)")
                let listed = try archive.pgarchive.json("snapshot", "list")
                #expect(listed.find("live")?.bool == false)
                expectRefusal(try archive.pgarchive.run("clone", "create", "any", "--latest"), status: 4)
            } else {
                // PostgreSQL itself makes no copy then.
                expectRefusal(forced, status: 4, mentions: "full_page_writes")
            }
            try archive.upstream.sql("alter system set full_page_writes = on")
            try archive.upstream.sql("select pg_reload_conf()")
            try archive.upstream.sql("checkpoint")
            try eventually(within: 30, "it is safe again", every: 0.2) {
                try archive.upstream.sql("checkpoint")
                try archive.replayEverything()
                return try archive.pgarchive.run("snapshot", "create").status == 0
            }
            try archive.pgarchive("clone", "create", "safe", "--latest", "--start")
            try #expect(archive.query("safe", "select n from t") == "1")
            try archive.finish()
        }
    }
}
