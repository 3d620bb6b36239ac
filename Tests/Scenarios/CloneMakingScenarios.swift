import ArchiveTesting
import Foundation
import Testing

/// Clones that are made and started in one go, beside each other and beside everything else.
@Suite(
    "Making clones",
    .enabled(if: TestEnvironment.hasPostgres, TestEnvironment.noPostgres),
    .keepsEvidence
)
struct CloneMakingScenarios {
    /// Only who makes a clone may touch it; everything else in the container goes on.
    @Test(arguments: TestFilesystem.Kind.btrfsOrElsePlain)
    func othersGoOnBesideACopy(_ kind: TestFilesystem.Kind) throws {
        try withSnapshot(kind) { archive, name in
            let copying = try archive.halt(at: "clone.beforeCopy", "clone", "create", name, "slow", "--start")
            try archive.pgarchive("clone", "create", name, "quick", "--start")
            try #expect(archive.query("quick", "select count(*) from t") == "1000")
            try #expect(archive.pgarchive("clone", "list", "--quiet").lines == ["quick"])
            for (words, sentence) in [
                (["clone", "start", "slow"], "still being made"),
                (["clone", "delete", "slow"], "at work on clone 'slow'"),
                (["clone", "create", name, "slow"], "there is a clone 'slow'"),
                (["snapshot", "delete", name], "try again"),
            ] {
                expectRefusal(try archive.pgarchive.run(words), status: 7, mentions: sentence)
            }
            try archive.pgarchive("snapshot", "create")
            try archive.pgarchive.setting("EXPIRE_DATE", "now")("snapshot", "expire")
            #expect(FileManager.default.fileExists(atPath: "\(archive.path)/clones/slow/clone.json"))
            copying.signal(SIGCONT)
            let made = try copying.wait(deadline: 120)
            #expect(made.status == 0, "\(made)")
            try #expect(archive.query("slow", "select count(*) from t") == "1000")
            #expect(!FileManager.default.fileExists(atPath: "\(archive.path)/clones/slow/making"))
            try archive.finish()
        }
    }

    @Test func anImageThatGoesMeanwhile() throws {
        try withSnapshot(.btrfsOrElsePlain[0]) { archive, name in
            try archive.pgarchive.succeed(["snapshot", "prepare", name], deadline: 120)
            let copying = try archive.halt(at: "clone.beforeCopy", "clone", "create", name, "slow", "--start")
            try archive.pgarchive.succeed(["snapshot", "prepare", name, "--discard"], deadline: 60)
            copying.signal(SIGCONT)
            let made = try copying.wait(deadline: 120)
            #expect(made.status == 0 && made.error.contains("has just been removed"), "\(made)")
            try #expect(archive.query("slow", "select count(*) from t") == "1000")
            try archive.finish()
        }
    }

    /// As a loss of power may leave it, since nothing of a clone is synced before it is made.
    @Test func aTornRecordOfAHalfMadeOneIsNoRiddle() throws {
        try withSnapshot(.plain) { archive, name in
            let dying = archive.pgarchive.setting("PGARCHIVE_FAULT", "clone.afterRecord=exit")
            let killed = try dying.run("clone", "create", name, "torn", "--start")
            #expect(killed.status == 86, "\(killed)")
            try SpoiltFile.write("{", to: "\(archive.path)/clones/torn/clone.json")
            #expect(try !archive.pgarchive("clone", "list").error.contains("torn"))
            try archive.pgarchive("snapshot", "expire")
            #expect(!FileManager.default.fileExists(atPath: "\(archive.path)/clones/torn"))
            try archive.finish()
        }
    }

    private func withSnapshot(
        _ kind: TestFilesystem.Kind,
        _ body: (TestArchive, _ snapshot: String) throws -> Void
    ) throws {
        try TestArchive.with(TestArchive.Options(kind)) { archive in
            try archive.upstream.sql("create table t as select generate_series(1, 1000) as n")
            try archive.replayEverything()
            try body(archive, archive.takeSnapshot().name)
        }
    }
}
