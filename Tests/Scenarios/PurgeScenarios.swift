import ArchiveTesting
import Foundation
import Testing

/// `container purge` among others who work in the container, and purges that die.
@Suite("Purge", .enabled(if: TestEnvironment.hasPostgres, TestEnvironment.noPostgres), .keepsEvidence)
struct PurgeScenarios {
    @Test(arguments: FaultPoints.purge)
    func aPurgeThatDied(_ moment: String) throws {
        try asOwner { archive in
            try archive.replayEverything()
            let snapshot = try archive.takeSnapshot().name
            try archive.pgarchive("clone", "create", snapshot, "one")
            try archive.pgarchive("container", "stop")
            let dying = archive.pgarchive.setting("PGARCHIVE_FAULT", "\(moment)=exit")
            let result = try dying.run("container", "purge", "--force")
            #expect(result.status == 86, "\(result)")
            try archive.pgarchive("container", "purge", "--force")
            try expectNothingLeft(archive)
        }
    }

    /// Nothing begins in a container that is being removed.
    @Test func nothingStartsMeanwhile() throws {
        try asOwner { archive in
            try archive.replayEverything()
            let snapshot = try archive.takeSnapshot().name
            try archive.pgarchive("clone", "create", snapshot, "one")
            try archive.pgarchive("container", "stop")
            let mark = "\(archive.directory.path)/purging"
            let purge = try archive.stopping(at: "purge.afterSlot", mark: mark)
                .command(["container", "purge", "--force"]).start()
            try purge.awaitStop(mark: mark)
            expectRefusal(try archive.pgarchive.run("container", "run"), status: 7)
            expectRefusal(try archive.pgarchive.run("clone", "start", "one"), status: 7)
            let receiver = try archive.pgarchive.run("wal_archive", "receive", "--container", archive.path)
            #expect(receiver.status == 7, "\(receiver)")
            expectRefusal(try archive.pgarchive.run("container", "purge", "--force"), status: 7, mentions: "purge")
            // Nor is the one at work taken for the receiver whose lock it holds.
            try archive.pgarchive("container", "stop")
            #expect(purge.isRunning)
            purge.signal(SIGCONT)
            let result = try purge.wait(deadline: 120)
            #expect(result.status == 0, "\(result)")
            try expectNothingLeft(archive)
        }
    }

    /// As after a receiver whose end the upstream has not noticed yet.
    @Test func aSlotThatIsStillInUse() throws {
        try asOwner { archive in
            try archive.pgarchive("container", "stop")
            let other = try archive.foreignReceiver(slot: "pgarchive_main")
            let purge = try archive.pgarchive.command(["container", "purge", "--force"]).start()
            let waiting = "select count(*) from pg_stat_activity where wait_event = 'ReplicationSlotDrop'"
            try eventually(within: 60, "purge waits for the slot") {
                guard purge.isRunning else { throw TestFailure("ended: \(purge.output)\(purge.error)") }
                return try archive.upstream.sql(waiting) == "1"
            }
            other.signal(SIGKILL)
            let result = try purge.wait(deadline: 120)
            #expect(result.status == 0, "\(result)")
            try other.wait(deadline: 10)
            try expectNothingLeft(archive)
        }
    }

    /// A slot that stays behind fills the upstream's disk: without knowing where it is, nothing is removed.
    @Test(arguments: [TestUser.caller, .owner])
    func anUpstreamThatIsNotKnown(_ user: TestUser) throws {
        // Without root both are the same.
        if user == .caller, !TestEnvironment.isRoot { try Test.cancel(TestEnvironment.noRoot) }
        try with(user) { archive in
            try archive.pgarchive("container", "stop")
            try SpoiltFile.write("upstream = [", to: "\(archive.path)/pgarchive.toml")
            // On a terminal, to confirm it.
            var command = TestCommand(
                "/usr/bin/script",
                ["-qec", "'\(try BuiltPrograms.pgarchive())' container purge", "/dev/null"],
                environment: archive.pgarchive.environment
            )
            command.user = user
            command.input = "main\n"
            let refused = try command.run()
            #expect(refused.status == 4, "\(refused)")
            #expect(refused.output.contains("UPSTREAM="), "\(refused)")
            #expect(FileManager.default.fileExists(atPath: "\(archive.path)/standby/data/PG_VERSION"))
            #expect(try archive.upstream.slots() == ["pgarchive_main"])
            let forced = try archive.pgarchive.run("container", "purge", "--force")
            #expect(forced.status == 10, "\(forced)")
            let statement = "SELECT pg_drop_replication_slot('pgarchive_main');"
            #expect(forced.error.contains(statement), "\(forced)")
            try archive.upstream.sql(statement)
            try expectNothingLeft(archive)
        }
    }

    /// The environment tells the upstream; a slot by another name than the usual one is at least missed.
    @Test func aSlotOfAnotherName() throws {
        var options = TestArchive.Options()
        options.user = .owner
        options.initArguments = ["--slot", "of_my_own"]
        try TestArchive.with(options) { archive in
            try archive.pgarchive("container", "stop")
            try SpoiltFile.write("upstream = [", to: "\(archive.path)/pgarchive.toml")
            let purge = archive.pgarchive.setting("UPSTREAM", archive.upstream.connection)
            let result = try purge.run("container", "purge", "--force")
            #expect(result.status == 10 && result.error.contains("pgarchive_main"), "\(result)")
            #expect(try archive.upstream.slots() == ["of_my_own"])
            try archive.upstream.sql("select pg_drop_replication_slot('of_my_own')")
            try expectNothingLeft(archive)
        }
    }

    /// The settings tell all that is needed, without the rest.
    @Test func aContainerWithoutItsIdentity() throws {
        try asOwner { archive in
            try archive.pgarchive("container", "stop")
            try FileManager.default.removeItem(atPath: "\(archive.path)/container.json")
            try archive.pgarchive("container", "purge", "--force")
            try expectNothingLeft(archive)
        }
    }

    private func with(_ user: TestUser, _ body: (TestArchive) throws -> Void) throws {
        var options = TestArchive.Options()
        options.user = user
        try TestArchive.with(options, body)
    }

    private func asOwner(_ body: (TestArchive) throws -> Void) throws {
        try with(.owner, body)
    }

    private func expectNothingLeft(_ archive: TestArchive, sourceLocation: SourceLocation = #_sourceLocation) throws {
        for sentence in try InvariantsChecker(archive).leftovers() {
            Issue.record("\(sentence)", sourceLocation: sourceLocation)
        }
    }
}
