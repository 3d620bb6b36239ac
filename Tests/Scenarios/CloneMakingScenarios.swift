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
            // Two are kept in any case.
            for _ in 0..<2 {
                try archive.upstream.sql("checkpoint")
                try archive.replayEverything()
                _ = try archive.takeSnapshot()
            }
            let expiring = archive.pgarchive.setting("EXPIRE_DATE", "now")
            try expiring("snapshot", "expire")
            try #expect(archive.pgarchive("snapshot", "list", "--quiet").lines.contains(name))
            copying.signal(SIGCONT)
            let made = try copying.wait(deadline: 120)
            #expect(made.status == 0, "\(made)")
            try #expect(archive.query("slow", "select count(*) from t") == "1000")
            try expiring("snapshot", "expire")
            try #expect(!archive.pgarchive("snapshot", "list", "--quiet").lines.contains(name))
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

    /// Killed or interrupted between the two copies it leaves nothing either.
    @Test(arguments: [SIGKILL, SIGINT])
    func anImageThatGoesAndThenItsMaker(_ signal: Int32) throws {
        try withSnapshot(.btrfsOrElsePlain[0]) { archive, name in
            try archive.pgarchive.succeed(["snapshot", "prepare", name], deadline: 120)
            let copying = try archive.halt(at: "clone.beforeCopy", "clone", "create", name, "gone", "--start")
            try archive.pgarchive.succeed(["snapshot", "prepare", name, "--discard"], deadline: 60)
            copying.signal(signal)
            copying.signal(SIGCONT)
            #expect(try copying.wait(deadline: 60).status != 0)
            try archive.pgarchive("snapshot", "delete", name)
            #expect(!FileManager.default.fileExists(atPath: "\(archive.path)/clones/gone"))
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

            // Of one that is made it stays a riddle, even where its maker was killed in its last step.
            let last = archive.pgarchive.setting("PGARCHIVE_FAULT", "durable.renamed=exit")
            let made = try last.run("clone", "create", name, "made", "--start")
            #expect(made.status == 86, "\(made)")
            #expect(FileManager.default.fileExists(atPath: "\(archive.path)/clones/made/making"))
            try archive.pgarchive("snapshot", "expire")
            #expect(!FileManager.default.fileExists(atPath: "\(archive.path)/clones/made/making"))
            try archive.pgarchive("clone", "stop", "made")
            try SpoiltFile.write("{", to: "\(archive.path)/clones/made/clone.json")
            expectRefusal(try archive.pgarchive.run("snapshot", "expire"), status: 1, mentions: "clone delete made")
            try archive.pgarchive("clone", "delete", "made")
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
