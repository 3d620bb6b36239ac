import ArchiveTesting
import Foundation
import Testing

/// `container purge` among others who work in the container, and purges that die.
@Suite("Purge", .enabled(if: TestEnvironment.hasPostgres, TestEnvironment.noPostgres), .keepsEvidence)
struct PurgeScenarios {
    @Test(arguments: ["purge.afterSlot", "remove.beforeDirectory", "purge.beforeLast"])
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

    private func asOwner(_ body: (TestArchive) throws -> Void) throws {
        var options = TestArchive.Options()
        options.user = .owner
        try TestArchive.with(options, body)
    }

    private func expectNothingLeft(_ archive: TestArchive, sourceLocation: SourceLocation = #_sourceLocation) throws {
        for sentence in try InvariantsChecker(archive).leftovers() {
            Issue.record("\(sentence)", sourceLocation: sourceLocation)
        }
    }
}
