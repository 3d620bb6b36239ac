import ArchiveTesting
import Foundation
import Testing

/// Every operation killed at each of its fault points: after a restart all invariants hold, nothing half-made is left,
/// and the operation succeeds.
///
/// `init`, `purge`, `restore`, copies, push, fetch and repair have their own sweeps, beside their other tests.
@Suite(
    "Crash sweep",
    .enabled(if: TestEnvironment.hasPostgres, TestEnvironment.noPostgres),
    .keepsEvidence
)
struct CrashSweepScenarios {
    struct Operation {
        let name: String
        let points: [String]
        /// What it needs each time.
        var prepare: (TestArchive) throws -> Void = { _ in }
        let command: (TestArchive) throws -> [String]
        var environment: [String: String] = [:]
        /// After the restart: it is done, or is done now; what it made is gone afterwards.
        let complete: (TestArchive) throws -> Void
    }

    @Test(arguments: [TestFilesystem.Kind.btrfs, .plain])
    func snapshotsAndClones(_ kind: TestFilesystem.Kind) throws {
        try sweep(
            kind,
            [
                snapshotCreate(kind), snapshotDelete(kind), cloneCreate(kind), cloneCreateStarted, cloneStart,
                cloneDuplicate(kind), cloneDelete(kind),
            ].filter {
                // What depends on the storage, where the rest is swept on a btrfs.
                kind == .btrfs || !TestFilesystem.Kind.btrfs.isAvailable
                    || ["snapshot create", "clone create", "clone delete"].contains($0.name)
            }
        )
    }

    @Test(arguments: TestFilesystem.Kind.btrfsOrElsePlain)
    func theArchiveItself(_ kind: TestFilesystem.Kind) throws {
        try sweep(kind, [receive, expire(kind), compress, adopt])
    }

    private func sweep(_ kind: TestFilesystem.Kind, _ operations: [Operation]) throws {
        try TestArchive.with(TestArchive.Options(kind)) { archive in
            try archive.upstream.sql("create table t as select generate_series(1, 1000) as n")
            try archive.replayEverything()
            _ = try archive.takeSnapshot()
            for operation in operations {
                for point in operation.points {
                    try strike(operation, point, archive)
                }
                // All of it, and not the supervisor alone.
                try archive.pgarchive("container", "stop")
                try archive.pgarchive("container", "start")
            }
            try archive.replayEverything()
            // Every snapshot that is listed can be used.
            for (index, name) in try archive.pgarchive("snapshot", "list", "--quiet").lines.enumerated() {
                try archive.pgarchive("clone", "create", name, "of\(index)", "--start")
                try #expect(archive.query("of\(index)", "select count(*) from t") == "1000")
                try archive.discard("of\(index)")
            }
            try archive.pgarchive("wal_archive", "verify", "--deep")
            try archive.finish()
        }
    }

    private func strike(_ operation: Operation, _ point: String, _ archive: TestArchive) throws {
        let what = "\(operation.name), killed at \(point)"
        try operation.prepare(archive)
        let parts = point.split(separator: "@")
        let fault = "\(parts[0])=exit" + (parts.count > 1 ? "@\(parts[1])" : "")
        var dying = archive.pgarchive.setting("PGARCHIVE_FAULT", fault)
        for (name, value) in operation.environment { dying = dying.setting(name, value) }
        let died = try dying.run(operation.command(archive), deadline: 120)
        guard died.status == 86 else { throw TestFailure("\(what): it was not killed: \(died)") }
        try restartSupervisor(archive)
        try eventually(within: 60, "\(what): nothing half-made is left", every: 0.1) {
            // A clone that is neither listed nor gone is half-made, record or not.
            let clones = (try? FileManager.default.contentsOfDirectory(atPath: "\(archive.path)/clones")) ?? []
            return try InvariantsChecker(archive).halfMade().isEmpty
                && Set(clones) == Set(archive.pgarchive("clone", "list", "--quiet").lines)
        }
        for sentence in try InvariantsChecker(archive).violations() { Issue.record("\(what): \(sentence)") }
        let run = try FileManager.default.contentsOfDirectory(atPath: "\(archive.path)/run")
        #expect(!run.contains { $0.hasPrefix("import-") }, "\(what): \(run)")
        do {
            try operation.complete(archive)
        } catch {
            throw TestFailure("\(what): \(error)")
        }
    }

    /// Killed too, and started again at once: what watches it would wait longer each time.
    private func restartSupervisor(_ archive: TestArchive) throws {
        let old = try #require(archive.supervisors.first)
        kill(old.pid, SIGKILL)
        try eventually(within: 10, "the supervisor is dead", every: 0.02) {
            !archive.supervisors.contains { $0.pid == old.pid }
        }
        try archive.pgarchive("container", "start")
    }
}

// MARK: - The operations

extension CrashSweepScenarios {
    private func snapshotCreate(_ kind: TestFilesystem.Kind) -> Operation {
        Operation(
            name: "snapshot create",
            points: FaultPoints.snapshotCreate(kind),
            command: { _ in ["snapshot", "create", "--name", "swept"] }
        ) { archive in
            if try archive.isListed("snapshot", "swept") { try archive.pgarchive("snapshot", "delete", "swept") }
            try archive.pgarchive("snapshot", "create", "--name", "swept")
            try archive.pgarchive("snapshot", "delete", "swept")
        }
    }

    private func snapshotDelete(_ kind: TestFilesystem.Kind) -> Operation {
        Operation(
            name: "snapshot delete",
            points: FaultPoints.snapshotDelete(kind),
            prepare: { try $0.pgarchive("snapshot", "create", "--name", "swept") },
            command: { _ in ["snapshot", "delete", "swept"] }
        ) { archive in
            // Unlisting is its first step.
            try #expect(!archive.isListed("snapshot", "swept"))
        }
    }

    private func cloneCreate(_ kind: TestFilesystem.Kind) -> Operation {
        Operation(
            name: "clone create",
            points: FaultPoints.cloneCreate(kind),
            command: { _ in ["clone", "create", "swept", "--latest"] }
        ) { archive in
            if try archive.isListed("clone", "swept") { try archive.pgarchive("clone", "delete", "swept") }
            try archive.pgarchive("clone", "create", "swept", "--latest")
            try archive.pgarchive("clone", "delete", "swept")
        }
    }

    private var cloneCreateStarted: Operation {
        Operation(
            name: "clone create --start",
            points: FaultPoints.cloneCreateStarted,
            command: { _ in ["clone", "create", "swept", "--latest", "--start"] }
        ) { archive in
            // It is made with its last step, and its server then runs.
            if try !archive.isListed("clone", "swept") {
                try archive.pgarchive("clone", "create", "swept", "--latest", "--start")
            }
            try #expect(archive.query("swept", "select count(*), pg_is_in_recovery() from t") == "1000|f")
            try archive.discard("swept")
        }
    }

    private var cloneStart: Operation {
        Operation(
            name: "clone start",
            points: FaultPoints.cloneStart,
            prepare: { try $0.pgarchive("clone", "create", "swept", "--latest") },
            command: { _ in ["clone", "start", "swept"] }
        ) { archive in
            try archive.pgarchive("clone", "start", "swept")
            try #expect(archive.query("swept", "select count(*), pg_is_in_recovery() from t") == "1000|f")
            try archive.discard("swept")
        }
    }

    private func cloneDuplicate(_ kind: TestFilesystem.Kind) -> Operation {
        Operation(
            name: "clone duplicate",
            points: FaultPoints.cloneDuplicate(kind),
            prepare: { archive in
                guard try !archive.isListed("clone", "source") else { return }
                try archive.pgarchive("clone", "create", "source", "--latest", "--start")
                try archive.pgarchive("clone", "stop", "source")
            },
            command: { _ in ["clone", "duplicate", "source", "swept"] }
        ) { archive in
            if try archive.isListed("clone", "swept") { try archive.pgarchive("clone", "delete", "swept") }
            try archive.pgarchive("clone", "duplicate", "source", "swept")
            try archive.pgarchive("clone", "delete", "swept")
        }
    }

    private func cloneDelete(_ kind: TestFilesystem.Kind) -> Operation {
        Operation(
            name: "clone delete",
            points: FaultPoints.cloneDelete(kind),
            prepare: { try $0.pgarchive("clone", "create", "swept", "--latest") },
            command: { _ in ["clone", "delete", "swept"] }
        ) { archive in
            if try archive.isListed("clone", "swept") { try archive.pgarchive("clone", "delete", "swept") }
            #expect(!FileManager.default.fileExists(atPath: "\(archive.path)/clones/swept"))
        }
    }

    /// It catches up with what the slot has kept meanwhile, in the foreground.
    private var receive: Operation {
        Operation(
            name: "wal_archive receive",
            points: FaultPoints.receive,
            prepare: { archive in
                try archive.pgarchive("wal_archive", "stop")
                try archive.upstream.sql("insert into t select 1 from generate_series(1, 20000)")
                try archive.upstream.sql("delete from t where ctid not in (select ctid from t limit 1000)")
                try archive.upstream.switchAndArchive()
            },
            command: { _ in ["wal_archive", "receive"] }
        ) { archive in
            try archive.pgarchive("wal_archive", "start")
            try archive.switchAndReceive()
        }
    }

    private func expire(_ kind: TestFilesystem.Kind) -> Operation {
        Operation(
            name: "snapshot expire",
            points: FaultPoints.expire(kind),
            prepare: { archive in
                // Two are kept.
                repeat {
                    try archive.upstream.sql("checkpoint")
                    try archive.replayEverything()
                    _ = try archive.takeSnapshot()
                } while try archive.pgarchive("snapshot", "list", "--quiet").lines.count < 3
            },
            command: { _ in ["snapshot", "expire"] },
            environment: ["EXPIRE_DATE": "now"]
        ) { archive in
            try archive.pgarchive.setting("EXPIRE_DATE", "now")("snapshot", "expire")
            try #expect(archive.pgarchive("snapshot", "list", "--quiet").lines.count == 2)
        }
    }

    private var compress: Operation {
        Operation(
            name: "cron compress-wal-archive",
            points: FaultPoints.compress,
            prepare: { archive in
                // What the second brings is replayed only when the first's segment is, to its end.
                try archive.replayEverything()
                try archive.replayEverything()
            },
            command: { _ in ["cron", "compress-wal-archive", "1"] }
        ) { archive in
            try archive.pgarchive("cron", "compress-wal-archive", "1")
        }
    }

    /// The oldest segment comes back from an archive of somebody else's, compressed.
    private var adopt: Operation {
        Operation(
            name: "wal_archive import",
            points: FaultPoints.adopt,
            prepare: { archive in
                let name = try #require(archive.archivedSegments().first)
                for file in [name, "\(name).zst"] {
                    try? FileManager.default.removeItem(atPath: "\(archive.walArchive)/\(file)")
                }
                let old = try archive.oldArchive()
                let copy = "\(archive.upstream.copies)/\(name)"
                try TestCommand("/bin/sh", ["-c", "gzip -c '\(copy)' > '\(old)/\(name).gz'"]).succeed()
            },
            command: { ["wal_archive", "import", try $0.oldArchive()] }
        ) { archive in
            try archive.pgarchive("wal_archive", "import", archive.oldArchive())
        }
    }
}

extension TestArchive {
    fileprivate func isListed(_ noun: String, _ name: String) throws -> Bool {
        try pgarchive(noun, "list", "--quiet").lines.contains(name)
    }

    /// A directory of somebody else's.
    fileprivate func oldArchive() throws -> String { try directory.subdirectory("old") }
}
