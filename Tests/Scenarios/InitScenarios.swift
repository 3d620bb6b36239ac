import ArchiveTesting
import Foundation
import Testing

/// `container init` and `purge`: all or nothing, and nothing is left.
@Suite(
    "Container init and purge",
    .enabled(if: TestEnvironment.hasPostgres, TestEnvironment.noPostgres),
    .keepsEvidence
)
struct InitScenarios {
    /// All that is missing upstream is said at once, each with the line that mends it.
    @Test func preflightNamesEverythingAtOnce() throws {
        var options = TestArchive.Options()
        options.upstream.archives = false
        options.upstream.settings = [
            "wal_level": "minimal", "max_wal_senders": "0", "max_replication_slots": "0", "full_page_writes": "off",
        ]
        options.upstream.hostBasedAuthentication = "local all all trust\n"
        try TestArchive.with(options, initialise: false) { archive in
            let result = try archive.pgarchive.run(archive.initArguments)
            expectRefusal(result, status: 4)
            for name in ["wal_level", "max_wal_senders", "max_replication_slots", "full_page_writes", "replication"] {
                #expect(result.error.contains(name), "\(name): \(result)")
            }
            try expectNothingLeft(archive)
        }
    }

    @Test func aRoleWithoutRightsIsRefused() throws {
        try TestArchive.with(TestArchive.Options(), initialise: false) { archive in
            try archive.upstream.sql("create role plain login")
            let plain = archive.upstream.connection.replacing("user=postgres", with: "user=plain")
            let result = try archive.pgarchive.run(
                "container",
                "init",
                "--container",
                archive.path,
                "--upstream",
                archive.upstream.connection,
                "--upstream-repl",
                plain
            )
            expectRefusal(result, mentions: "plain")
            #expect([3, 4].contains(result.status), "\(result)")
            try expectNothingLeft(archive)
        }
    }

    @Test func anUpstreamThatCannotBeReached() throws {
        try TestArchive.with(TestArchive.Options(), initialise: false) { archive in
            try archive.upstream.stop()
            expectRefusal(try archive.pgarchive.run(archive.initArguments), status: 8)
            try expectNothingLeft(archive)
        }
    }

    @Test func whatExistsAlreadyIsNotTouched() throws {
        try TestArchive.with(TestArchive.Options(), initialise: false) { archive in
            try archive.upstream.sql("select pg_create_physical_replication_slot('pgarchive_main')")
            expectRefusal(try archive.pgarchive.run(archive.initArguments), status: 4, mentions: "pgarchive_main")
            #expect(try archive.upstream.slots() == ["pgarchive_main"])
            #expect(!FileManager.default.fileExists(atPath: archive.path))
            try archive.upstream.sql("select pg_drop_replication_slot('pgarchive_main')")

            try archive.initialise()
            let before = try archive.pgarchive.json("snapshot", "list")
            expectRefusal(try archive.pgarchive.run(archive.initArguments), status: 7)
            try archive.pgarchive("container", "status")
            #expect(try archive.pgarchive.json("snapshot", "list") == before)
            // A directory that is not ours is not taken over.
            let foreign = "\(archive.home)/foreign"
            try TestCommand("/bin/mkdir", [foreign]).succeed()
            try TestCommand("/usr/bin/touch", ["\(foreign)/precious"]).succeed()
            let words = archive.initArguments.map { $0 == archive.path ? foreign : $0 }
            expectRefusal(try archive.pgarchive.run(words))
            #expect(FileManager.default.fileExists(atPath: "\(foreign)/precious"))
            try TestCommand("/bin/rm", ["-r", foreign]).succeed()
            try archive.switchAndReceive()
            try archive.finish()
        }
    }

    /// A socket path is noticed where it can still be changed: at init.
    @Test(arguments: [(String(repeating: "h", count: 80), "107"), ("a,b", "comma")])
    func aPathThatNoSocketCanHave(_ home: String, _ mentions: String) throws {
        var options = TestArchive.Options()
        options.homeName = home
        try TestArchive.with(options, initialise: false) { archive in
            expectRefusal(try archive.pgarchive.run(archive.initArguments), mentions: mentions)
            try expectNothingLeft(archive)
        }
    }

    /// There lie the images of those containers that have one.
    @Test func theNameOfThePools() throws {
        try TestArchive.with(TestArchive.Options(), initialise: false) { archive in
            let words = archive.initArguments.map { $0 == archive.path ? "pools" : $0 }
            expectRefusal(try archive.pgarchive.run(words), status: 2, mentions: "pools")
            try expectNothingLeft(archive)
        }
    }

    @Test(.enabled(if: TestEnvironment.canMount, TestEnvironment.noMount))
    func aFailedBaseBackupLeavesNothing() throws {
        // Too small for a copy of the cluster, large enough to begin.
        var options = TestArchive.Options(.tmpfs)
        options.megabytes = 30
        options.pgbenchScale = 3
        try TestArchive.with(options, initialise: false) { archive in
            let result = try archive.pgarchive.run(archive.initArguments, deadline: 120)
            expectRefusal(result)
            try expectNothingLeft(archive)
        }
    }

    @Test(arguments: [SIGINT, SIGTERM])
    func anInterruptedInitLeavesNothing(_ signal: Int32) throws {
        try interrupted { archive in
            let running = try archive.slowInit()
            running.signal(signal)
            let result = try running.wait(deadline: 30)
            #expect(result.status == 5, "\(result)")
            try expectNothingLeft(archive)
            // And it can be done again at once.
            try archive.initialise()
            try archive.switchAndReceive()
            try archive.finish()
        }
    }

    /// As the owner there is one process, and what it made lies about; as root the owner's half cleans up after itself.
    @Test(arguments: [TestUser.caller, .owner])
    func aKilledInitIsResumedOrPurged(_ user: TestUser) throws {
        // Without root both are the same.
        if user == .caller, !TestEnvironment.isRoot { try Test.cancel(TestEnvironment.noRoot) }
        try interrupted(as: user) { archive in
            try kill(archive.slowInit())
            // What it left is not listed as a container that works.
            let status = try archive.pgarchive.run("container", "status")
            #expect(status.status != 0, "\(status)")
            try archive.initialise()
            try archive.pgarchive("container", "status")
            try archive.switchAndReceive()
            try archive.finish()
            try archive.upstream.start()
            try kill(archive.slowInit())
            if user == .owner {
                try archive.pgarchive("container", "purge", "--force")
            } else {
                try eventually(within: 30, "the owner's half has undone it") {
                    try InvariantsChecker(archive).leftovers().isEmpty
                }
            }
            try expectNothingLeft(archive)
        }
    }

    @Test func purgeAsksAndWorksWithoutTheUpstream() throws {
        try TestArchive.with(TestArchive.Options()) { archive in
            try archive.switchAndReceive()
            try archive.pgarchive("container", "stop")
            // Without a terminal to ask on it does nothing, and says what it would remove.
            let asked = try archive.pgarchive.run("container", "purge")
            #expect(asked.status != 0)
            #expect((asked.output + asked.error).contains("pgarchive_main"), "\(asked)")
            #expect(FileManager.default.fileExists(atPath: "\(archive.path)/container.json"))
            try archive.upstream.stop()
            try archive.pgarchive("container", "purge", "--force", deadline: 90)
            for sentence in try InvariantsChecker(archive).leftovers() { Issue.record("\(sentence)") }
            // The slot is still there, and its name was said; a new start finds it.
            try archive.upstream.start()
            #expect(try archive.upstream.slots() == ["pgarchive_main"])
        }
    }

    /// As the seed does: settings that cannot be read are taken from the environment.
    @Test func purgeReadsTheConnectionFromTheEnvironment() throws {
        try TestArchive.with(TestArchive.Options()) { archive in
            try archive.pgarchive("container", "stop")
            try SpoiltFile.write("this is not TOML [", to: "\(archive.path)/pgarchive.toml")
            expectRefusal(try archive.pgarchive.run("container", "status"), status: 2)
            let purge = archive.pgarchive.setting("UPSTREAM", archive.upstream.connection)
                .setting("SLOT", "pgarchive_main")
            try purge("container", "purge", "--force")
            try expectNothingLeft(archive)
        }
    }

    @Test(.enabled(if: TestEnvironment.canMount, TestEnvironment.noMount))
    func aPoolOfItsOwn() throws {
        var options = TestArchive.Options()
        options.initArguments = ["--pool-size", "1G"]
        try TestArchive.with(options, initialise: false) { archive in
            let words = archive.initArguments.filter { $0 != "--driver" && $0 != "copy" }
            try archive.pgarchive.succeed(words, deadline: 180)
            try archive.usePortsOfItsOwn()
            #expect(FileManager.default.fileExists(atPath: "\(archive.home)/pools/main.img"))
            try archive.replayEverything()
            _ = try archive.takeSnapshot()
            try archive.pgarchive("container", "stop")
            try TestCommand.asCaller("umount", [archive.path]).succeed()
            // A container whose pool is not mounted is that, and never empty.
            let status = try archive.pgarchive.run("container", "status")
            #expect(status.status != 0 && (status.output + status.error).contains("not mounted"), "\(status)")
            expectRefusal(try archive.pgarchive.run(words), status: 7)
            try archive.pgarchive("container", "start")
            try archive.pgarchive("container", "status")
            #expect(try archive.pgarchive("snapshot", "list", "--quiet").lines.count == 1)
            try archive.finish()
        }
    }

    private func interrupted(as user: TestUser = .caller, _ body: (TestArchive) throws -> Void) throws {
        var options = TestArchive.Options()
        options.user = user
        options.pgbenchScale = 1
        try TestArchive.with(options, initialise: false, body)
    }

    private func kill(_ process: TestProcess) throws {
        process.signal(SIGKILL)
        try process.wait(deadline: 10)
    }

    private func expectNothingLeft(_ archive: TestArchive, sourceLocation: SourceLocation = #_sourceLocation) throws {
        for sentence in try InvariantsChecker(archive).leftovers() {
            Issue.record("\(sentence)", sourceLocation: sourceLocation)
        }
    }
}

extension TestArchive {
    /// An init that waits for a spread checkpoint, with its slot made and its receiver running.
    func slowInit() throws -> TestProcess {
        // Dirty pages, so that the checkpoint has something to spread over the hour until the next.
        try upstream.sql("update pgbench_accounts set abalance = abalance + 1")
        let words = initArguments.filter { $0 != "--checkpoint" && $0 != "fast" }
        let process = try pgarchive.command(words).start()
        try eventually(within: 30, "init has made its slot and waits for the checkpoint") {
            guard process.isRunning else { throw TestFailure("init ended: \(process.output)\(process.error)") }
            let waiting = "select count(*) from pg_stat_progress_basebackup where phase like 'waiting for checkpoint%'"
            return try !upstream.slots().isEmpty && upstream.sql(waiting) == "1"
        }
        return process
    }
}

extension InitScenarios {
    /// From a copy of the stopped server's files, with its tablespaces; the archive begins with the copy's WAL.
    @Test func aContainerBeginsWithAColdCopy() throws {
        try TestArchive.with(TestArchive.Options(), initialise: false) { archive in
            let space = try archive.directory.subdirectory("space")
            try archive.upstream.sql("create tablespace elsewhere location '\(space)'")
            try archive.upstream.sql("create table far tablespace elsewhere as select generate_series(1, 100) as n")
            let oid = try archive.upstream.sql("select oid from pg_tablespace where spcname = 'elsewhere'")
            let copy = "\(archive.directory.path)/copy"
            func copyFiles() throws {
                try TestCommand("/bin/sh", ["-c", "cp -a '\(archive.upstream.data)' '\(copy)'"]).succeed()
                try TestCommand("/bin/sh", ["-c", "rm -rf '\(space).copy'; cp -a '\(space)' '\(space).copy'"]).succeed()
            }
            // Of a running server it is no copy at all.
            try copyFiles()
            let arguments = archive.initArguments + ["--from-directory", copy]
            let mapped = arguments + ["--tablespace", "\(oid)=\(space).copy"]
            expectRefusal(try archive.pgarchive.run(mapped), status: 4, mentions: "shut down cleanly")
            try TestCommand("/bin/rm", ["-rf", copy]).succeed()

            try archive.upstream.stop()
            try copyFiles()
            try archive.upstream.start()
            // The copy's link leads to the upstream's own files.
            expectRefusal(try archive.pgarchive.run(arguments), status: 4, mentions: "--tablespace \(oid)=")
            #expect(!FileManager.default.fileExists(atPath: archive.path))
            try archive.upstream.sql("insert into far values (1000)")
            try archive.pgarchive.succeed(mapped, deadline: 180)
            try archive.usePortsOfItsOwn()
            try archive.replayEverything()
            try #expect(archive.standbySQL("select count(*), max(n) from far") == "101|1000")
            _ = try archive.takeSnapshot()
            try archive.pgarchive("clone", "create", "cold", "--latest", "--start")
            try #expect(archive.query("cold", "select count(*) from far") == "101")
            try archive.finish()
        }
    }
}
