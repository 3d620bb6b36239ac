import ArchiveTesting
import Foundation
import Testing

/// `snapshot prepare`, and the images that the supervisor keeps: clones of a snapshot's own moment without recovery.
@Suite(
    "Ready images",
    .enabled(if: TestEnvironment.hasPostgres, TestEnvironment.noPostgres),
    .keepsEvidence
)
struct ReadyScenarios {
    private static func withSnapshot(
        _ kind: TestFilesystem.Kind = .plain,
        _ body: (TestArchive, String) throws -> Void
    ) throws {
        try TestArchive.with(TestArchive.Options(kind)) { archive in
            try archive.upstream.sql("create table t as select generate_series(1, 1000) n")
            try archive.replayEverything()
            let name = try archive.takeSnapshot().name
            try archive.upstream.sql("insert into t values (0)")
            try archive.switchAndReceive()
            try body(archive, name)
        }
    }

    private static func count(_ archive: TestArchive, _ clone: String) throws -> String {
        try archive.pgarchive.succeed(
            ["clone", "psql", clone, "--", "-X", "-A", "-t", "-c", "select count(*), pg_is_in_recovery() from t"],
            deadline: 60
        ).output
    }

    @Test func aCloneOfTheSnapshotsMomentIsACopyOfTheImage() throws {
        try Self.withSnapshot { archive, name in
            let made = try archive.pgarchive.succeed(["snapshot", "prepare", name], deadline: 120)
            #expect(made.output.contains("is ready"), "\(made)")
            #expect(ProcessTable.living(in: "\(archive.path)/snapshots").isEmpty)
            let again = try archive.pgarchive.succeed(["snapshot", "prepare", name], deadline: 60)
            #expect(!again.error.contains("copying"), "\(again)")
            #expect(try archive.pgarchive("snapshot", "list").output.contains("ready"))

            for clone in ["one", "two"] {
                let created = try archive.pgarchive.succeed(["clone", "create", name, clone, "--start"], deadline: 60)
                #expect(created.error.contains("image of snapshot"), "\(created)")
                #expect(!created.output.contains("replayed"), "\(created)")
                #expect(try Self.count(archive, clone) == "1000|f\n")
            }
            try archive.pgarchive.succeed(
                ["clone", "psql", "one", "--", "-X", "-c", "delete from t"],
                deadline: 60
            )
            #expect(try Self.count(archive, "two") == "1000|f\n")
            // Any other moment is recovered from the snapshot.
            let latest = try archive.pgarchive.succeed(
                ["clone", "create", "late", "--latest", "--snapshot", name, "--start"],
                deadline: 120
            )
            #expect(!latest.error.contains("image of snapshot"), "\(latest)")
            #expect(try Self.count(archive, "late") == "1001|f\n")
            // A clone is a copy of its own: it comes up again, and outlives the snapshot and its image.
            try archive.pgarchive.succeed(["clone", "restart", "two"], deadline: 60)
            try archive.pgarchive.succeed(["snapshot", "delete", name], deadline: 60)
            #expect(!FileManager.default.fileExists(atPath: "\(archive.path)/snapshots/\(name)"))
            #expect(try Self.count(archive, "two") == "1000|f\n")
        }
    }

    /// A reset is quick then too, whether its clone has ever run or not.
    @Test func aResetTakesTheImage() throws {
        try Self.withSnapshot { archive, name in
            try archive.pgarchive("clone", "create", name, "run", "--start", deadline: 120)
            try archive.pgarchive("clone", "create", name, "new", deadline: 120)
            try archive.pgarchive.succeed(["snapshot", "prepare", name], deadline: 120)
            for clone in ["run", "new"] {
                if clone == "run" { _ = try archive.query("run", "delete from t") }
                let reset = try archive.pgarchive.succeed(["clone", "reset", clone], deadline: 120)
                #expect(reset.error.contains("copying the image of snapshot"), "\(reset)")
                if clone == "new" { try archive.pgarchive("clone", "start", clone, deadline: 60) }
                #expect(try Self.count(archive, clone) == "1000|f\n")
                try archive.pgarchive("clone", "restart", clone, deadline: 60)
                #expect(try Self.count(archive, clone) == "1000|f\n")
            }
            // Neither the image nor the WAL from before it is needed by them any more.
            try archive.pgarchive("snapshot", "prepare", name, "--discard")
            #expect(try Self.count(archive, "run") == "1000|f\n")
        }
    }

    /// Who only looks at the snapshot's moment does so in a copy of the image, which is shared until somebody writes.
    @Test func aLookTakesTheImage() throws {
        try Self.withSnapshot { archive, name in
            try archive.pgarchive.succeed(["snapshot", "prepare", name], deadline: 120)
            func ask(_ sql: String) throws -> CommandResult {
                try archive.pgarchive.run(
                    ["psql", "--immediate", "--snapshot", name, "-X", "-A", "-t", "-c", sql],
                    deadline: 120
                )
            }
            let question = "select count(*), pg_is_in_recovery() from t"
            let first = try ask(question)
            #expect(first.output == "1000|f\n" && first.error.contains("copying the image"), "\(first)")
            let second = try ask(question)
            #expect(second.output == "1000|f\n" && !second.error.contains("copying"), "\(second)")
            let write = try ask("delete from t")
            #expect(write.status != 0 && write.error.contains("read-only transaction"), "\(write)")
            #expect(try ask(question).error.contains("copying") == false)
            // Who insists writes, and nobody else sees it.
            let insisting = try ask("begin read write; delete from t; commit")
            #expect(insisting.status == 0, "\(insisting)")
            let third = try ask(question)
            #expect(third.output == "1000|f\n" && third.error.contains("copying the image"), "\(third)")
            let dump = try archive.pgarchive.succeed(
                ["dump", "--immediate", "--snapshot", name, "-t", "t", "--data-only"],
                deadline: 120
            )
            #expect(dump.output.contains("\n1000\n"))
            // Any other moment is recovered as before.
            let latest = try archive.pgarchive.succeed(
                ["psql", "--latest", "--snapshot", name, "-X", "-A", "-t", "-c", question],
                deadline: 120
            )
            #expect(latest.output == "1001|t\n", "\(latest)")
        }
    }

    /// Ten people who all ask at once.
    @Test(arguments: TestFilesystem.Kind.btrfsOrElsePlain)
    func tenAtOnce(_ kind: TestFilesystem.Kind) throws {
        try Self.withSnapshot(kind) { archive, name in
            try archive.pgarchive.succeed(["snapshot", "prepare", name], deadline: 120)
            let names = (0..<10).map { "c\($0)" }
            let all = try names.map { try archive.pgarchive.start("clone", "create", name, $0, "--start") }
            for making in all {
                let result = try making.wait(deadline: 300)
                #expect(result.status == 0 && result.error.contains("image of snapshot"), "\(result)")
            }
            for clone in names { #expect(try Self.count(archive, clone) == "1000|f\n") }
        }
    }

    @Test func anImageCanBeDiscarded() throws {
        try Self.withSnapshot { archive, name in
            try archive.pgarchive.succeed(["snapshot", "prepare", name], deadline: 120)
            try archive.pgarchive.succeed(["snapshot", "prepare", name, "--discard"], deadline: 60)
            let left = try FileManager.default.contentsOfDirectory(atPath: "\(archive.path)/snapshots/\(name)")
            #expect(left.sorted() == ["root", "snapshot.json"])
            let created = try archive.pgarchive.succeed(["clone", "create", name, "one", "--start"], deadline: 60)
            #expect(!created.error.contains("image of snapshot"), "\(created)")
            #expect(try Self.count(archive, "one") == "1000|f\n")
            expectRefusal(try archive.pgarchive.run("snapshot", "prepare", "nothing"), status: 6)
        }
    }

    /// Ended by a signal it leaves nothing; killed, its server ends with it, and the next one clears away the rest.
    @Test func nothingIsLeft() throws {
        try Self.withSnapshot { archive, name in
            let place = "\(archive.path)/snapshots/\(name)"
            for signal in [SIGTERM, SIGKILL] {
                let process = try archive.pgarchive.setting("PGARCHIVE_FAULT", "clone.beforePromote=stop")
                    .command(["snapshot", "prepare", name]).start()
                try eventually(within: 120, "its server runs; \(process.error)") {
                    !ProcessTable.living(in: place).filter { $0.arguments.first?.contains("postgres") ?? false }.isEmpty
                }
                process.signal(signal)
                process.signal(SIGCONT)
                _ = try process.wait(deadline: 60)
                try eventually(within: 30, "its server ends after signal \(signal)") {
                    ProcessTable.living(in: place).isEmpty
                }
                if signal == SIGTERM {
                    let left = try FileManager.default.contentsOfDirectory(atPath: place)
                    #expect(left.sorted() == ["root", "snapshot.json"])
                }
            }
            try archive.pgarchive.succeed(["snapshot", "prepare", name], deadline: 120)
            let left = try FileManager.default.contentsOfDirectory(atPath: place)
            #expect(left.sorted() == ["ready", "ready.json", "root", "snapshot.json"])
        }
    }

    /// Killed anywhere, what is listed is whole, and the same command makes the rest.
    @Test func killedAnywhere() throws {
        try Self.withSnapshot { archive, name in
            let record = "\(archive.path)/snapshots/\(name)/ready.json"
            let making = [
                "ready.beforeCopy", "ready.copied", "clone.beforePromote", "clone.beforeCheck", "ready.beforeRecord",
                "ready.afterRecord",
            ]
            for fault in making + ["ready.afterUnlisting"] {
                let isRemoval = fault == "ready.afterUnlisting"
                let words = ["snapshot", "prepare", name] + (isRemoval ? ["--discard"] : [])
                let killed = try archive.pgarchive.setting("PGARCHIVE_FAULT", "\(fault)=exit").run(words, deadline: 120)
                #expect(killed.status != 0, "\(fault): \(killed)")
                #expect(FileManager.default.fileExists(atPath: record) == (fault == "ready.afterRecord"), "\(fault)")
            }
            try archive.pgarchive.succeed(["snapshot", "prepare", name], deadline: 120)
            try archive.pgarchive.succeed(["clone", "create", name, "one", "--start"], deadline: 60)
            #expect(try Self.count(archive, "one") == "1000|f\n")
        }
    }

    /// Where a copy takes no space the supervisor keeps an image of the newest.
    @Test func theNewestIsKeptReady() throws {
        try Self.withSnapshot(.btrfs) { archive, name in
            let record = "\(archive.path)/snapshots/\(name)/ready.json"
            try eventually(within: 180, "it is ready") { FileManager.default.fileExists(atPath: record) }
            try archive.replayEverything()
            let newer = try archive.takeSnapshot().name
            try eventually(within: 180, "the newer one is ready") {
                FileManager.default.fileExists(atPath: "\(archive.path)/snapshots/\(newer)/ready.json")
            }
            try eventually(within: 60, "the older one is not any more") {
                !FileManager.default.fileExists(atPath: "\(archive.path)/snapshots/\(name)/ready")
            }
        }
    }
}
