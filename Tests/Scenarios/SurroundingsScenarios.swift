import ArchiveTesting
import Foundation
import Testing

/// The same work under whatever a user's shell and host look like.
@Suite(
    "Surroundings",
    .enabled(if: TestEnvironment.hasPostgres, TestEnvironment.noPostgres),
    .keepsEvidence
)
struct SurroundingsScenarios {
    struct Setting: Sendable, CustomTestStringConvertible {
        let testDescription: String
        var kind: TestFilesystem.Kind = .plain
        var homeName = "home"
        var user = TestUser.caller
        var umask: String?
        var environment: [String: String] = [:]
        /// TMPDIR is a filesystem without any room.
        var temporaryFilesAreRefused = false
    }

    static let settings: [Setting] = [
        Setting(testDescription: "a path with spaces and quotes", homeName: "it's 100%p \"my\" home $ü"),
        Setting(testDescription: "umask 000", umask: "000"),
        Setting(testDescription: "umask 777", umask: "777"),
        Setting(
            testDescription: "another language, PG* of the shell, no TMPDIR",
            environment: [
                "LC_ALL": "de_DE.UTF-8", "LANGUAGE": "de", "LANG": "tr_TR.UTF-8", "TMPDIR": "/nonexistent",
                "PGHOST": "/nonexistent", "PGPORT": "1", "PGUSER": "nobody", "PGDATABASE": "nowhere",
                "PGSERVICE": "nothing", "PGOPTIONS": "-c statement_timeout=1", "PGSSLMODE": "require",
                "TZ": "Pacific/Chatham", "PGTZ": "Asia/Kolkata", "PGDATESTYLE": "German, DMY",
            ]
        ),
        Setting(testDescription: "a full TMPDIR", temporaryFilesAreRefused: true),
        Setting(testDescription: "as the owner, without root", user: .owner),
        Setting(testDescription: "as the owner, on btrfs", kind: .btrfs, user: .owner),
    ]

    @Test(arguments: settings)
    func theWholePath(_ setting: Setting) throws {
        if setting.user == .owner, !TestEnvironment.isRoot { try Test.cancel(TestEnvironment.noRoot) }
        guard setting.temporaryFilesAreRefused else { return try theWholePath(setting, environment: [:]) }
        try TestFilesystem.Kind.tmpfs.orSkip()
        try TestDirectory.with { directory in
            try TestFilesystem.with(.tmpfs, in: directory, megabytes: 1) { full in
                _ = try TestCommand("/bin/dd", ["if=/dev/zero", "of=\(full.path)/filler", "bs=4k"]).run()
                let refused = try TestCommand("/bin/sh", ["-c", "echo x > '\(full.path)/more'"]).run()
                #expect(refused.status != 0, "it is full")
                try theWholePath(setting, environment: ["TMPDIR": full.path])
                let left = try FileManager.default.contentsOfDirectory(atPath: full.path)
                #expect(left.filter { $0 != "more" } == ["filler"])
            }
        }
    }

    private func theWholePath(_ setting: Setting, environment: [String: String]) throws {
        var options = TestArchive.Options(setting.kind)
        options.homeName = setting.homeName
        options.user = setting.user
        try TestArchive.with(options, initialise: false) { archive in
            var pgarchive = archive.pgarchive
            pgarchive.umask = setting.umask
            pgarchive.environment.merge(setting.environment.merging(environment) { $1 }) { $1 }
            try pgarchive.succeed(archive.initArguments, deadline: 180)
            try archive.usePortsOfItsOwn()
            try pgarchive("container", "status")
            try archive.upstream.sql("create table t as select 1 as n")
            let moment = try archive.upstream.sql("select to_char(clock_timestamp(), 'YYYY-MM-DD HH24:MI:SS.US+00')")
            try archive.replayEverything()
            try pgarchive("snapshot", "create")
            try archive.upstream.sql("drop table t")
            try archive.switchAndReceive()
            let snapshot = try pgarchive("snapshot", "list", "--quiet").text
            let created = try pgarchive("clone", "create", snapshot, "past", moment)
            // The resolved instant is echoed with its zone, so that nobody recovers to another hour.
            #expect((created.output + created.error).contains("+") || (created.output + created.error).contains("UTC"))
            try pgarchive("clone", "start", "past")
            try #expect(pgarchive("clone", "psql", "past", "-XAtqc", "table t").text == "1")
            try pgarchive("cron", "compress-wal-archive", "1")
            try pgarchive("cron", "expire-and-create-snapshot")
            try pgarchive("standby", "restart")
            try pgarchive("container", "dashboard")
            for sentence in try InvariantsChecker(archive).violations() { Issue.record("\(sentence)") }
            try pgarchive("clone", "stop", "--all")
            try pgarchive("container", "stop")
            try pgarchive("container", "purge", "--force")
            for sentence in try InvariantsChecker(archive).leftovers() { Issue.record("\(sentence)") }
            for sentence in try archive.upstream.verifyUntouched() { Issue.record("\(sentence)") }
        }
    }

    /// As the seed is called: everything by the environment.
    @Test func theSeedsEnvironment() throws {
        try TestArchive.with(TestArchive.Options(), initialise: false) { archive in
            let seed = archive.pgarchive.setting("UPSTREAM", archive.upstream.connection)
                .setting("UPSTREAM_REPL", archive.upstream.replicationConnection).setting("SLOT", "my_slot")
            try seed.succeed(["system", "init", "--checkpoint", "fast", "--driver", "copy"], deadline: 180)
            try archive.usePortsOfItsOwn()
            #expect(try archive.upstream.slots() == ["my_slot"])
            // Settings are persisted: later commands need no environment but PGARCHIVE.
            try archive.pgarchive("system", "status")
            _ = try archive.takeSnapshot()
            let none = archive.pgarchive.setting("EXPIRE_DATE", "now")
            try none("snapshot", "expire")
            try archive.switchAndReceive()
            try archive.finish()
        }
    }

    /// A command must not keep a pipe open through the daemons that it starts.
    @Test func daemonsHoldNobodysPipe() throws {
        try TestArchive.with(TestArchive.Options()) { archive in
            _ = try archive.takeSnapshot()
            let program = try BuiltPrograms.pgarchive()
            let script = """
                set -e
                '\(program)' container stop | cat
                '\(program)' container start | cat
                '\(program)' clone create piped --latest --start 2>&1 | cat
                """
            var shell = TestCommand("/bin/bash", ["-c", script], environment: archive.pgarchive.environment)
            shell.user = .caller
            try shell.succeed(deadline: 60)
            // Nor the terminal's session: they live on when the login ends.
            for process in archive.supervisors + archive.receivers {
                #expect(process.workingDirectory != FileManager.default.currentDirectoryPath)
            }
            try archive.switchAndReceive()
            try archive.finish()
        }
    }
}
