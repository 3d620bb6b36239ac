import ArchiveTesting
import Foundation
import Testing

/// An init that dies at any of its steps: the next one begins anew, a purge leaves nothing, and no slot of anybody
/// else is dropped.
@Suite(
    "Killed inits",
    .enabled(if: TestEnvironment.hasPostgres, TestEnvironment.noPostgres),
    .keepsEvidence
)
struct KilledInitScenarios {
    @Test(arguments: FaultPoints.initialise)
    func anInitThatDied(_ moment: String) throws {
        try asOwner { archive in
            try archive.dieInInit(at: moment)
            let start = try archive.pgarchive.run("container", "start")
            #expect(start.status != 0, "\(start)")
            try archive.pgarchive("container", "purge", "--force", deadline: 120)
            try expectNothingLeft(archive)
            try archive.dieInInit(at: moment)
            try archive.initialise()
            try expectHealthy(archive)
        }
    }

    /// While it was still trying what the filesystem can do.
    @Test(
        .enabled(if: TestEnvironment.canMount, TestEnvironment.noMount),
        arguments: ["btrfs.beforeDelete", "init.afterBackup"]
    )
    func volumesOfAnInitThatDied(_ moment: String) throws {
        try asOwner(.btrfs) { archive in
            try archive.dieInInit(at: moment)
            try archive.pgarchive("container", "purge", "--force", deadline: 120)
            try expectNothingLeft(archive)
            try archive.dieInInit(at: moment)
            try archive.initialise()
            try expectHealthy(archive)
        }
    }

    /// Run by root, the owner's half dies.
    @Test(.enabled(if: TestEnvironment.isRoot, TestEnvironment.noRoot), arguments: ["init.marked", "init.slotMade"])
    func theOwnersHalfThatDied(_ moment: String) throws {
        try TestArchive.with(TestArchive.Options(), initialise: false) { archive in
            try archive.dieInInit(at: moment)
            try archive.pgarchive("container", "purge", "--force", deadline: 120)
            try expectNothingLeft(archive)
            try archive.dieInInit(at: moment)
            try archive.initialise()
            try expectHealthy(archive)
        }
    }

    /// Then the container is whole, and only has to be started.
    @Test func anInitThatDiedAtItsEnd() throws {
        try asOwner { archive in
            try archive.dieInInit(at: "init.done")
            expectRefusal(try archive.pgarchive.run(archive.initArguments), status: 7)
            try archive.pgarchive("container", "start")
            try archive.usePortsOfItsOwn()
            try expectHealthy(archive)
        }
    }

    /// The slot that it made is known by its mark, and not by what the next init is told.
    @Test func theNextInitTakesAnotherSlot() throws {
        try asOwner { archive in
            try archive.dieInInit(at: "init.receiverStarted")
            let list = try archive.pgarchive("container", "list").output
            #expect(list.contains("its init has not ended"), "\(list)")
            try archive.pgarchive.succeed(archive.initArguments + ["--slot", "another"], deadline: 180)
            #expect(try archive.upstream.slots() == ["another"])
            try archive.usePortsOfItsOwn()
            try expectHealthy(archive)
        }
    }

    @Test func theUpstreamIsGoneWhenTheNextInitRuns() throws {
        try asOwner { archive in
            try archive.dieInInit(at: "init.afterBackup")
            try archive.upstream.stop()
            let words = archive.initArguments
            expectRefusal(try archive.pgarchive.run(words), status: 8, mentions: "pg_drop_replication_slot")
            try archive.upstream.start()
            #expect(try archive.upstream.slots() == ["pgarchive_main"])
            try archive.initialise()
            try expectHealthy(archive)
        }
    }

    /// Killed between the asking and the answer, what is there later may be somebody else's.
    @Test func aSlotThatSomebodyElseMadeMeanwhile() throws {
        try asOwner { archive in
            try archive.dieInInit(at: "init.slotAsked")
            try archive.upstream.sql("select pg_switch_wal(); checkpoint")
            try archive.upstream.sql("select pg_create_physical_replication_slot('pgarchive_main', true)")
            expectRefusal(try archive.pgarchive.run(archive.initArguments), status: 4, mentions: "pgarchive_main")
            #expect(try archive.upstream.slots() == ["pgarchive_main"])
            try archive.upstream.sql("select pg_drop_replication_slot('pgarchive_main')")
            // And one that was made at once, but is in use.
            try archive.dieInInit(at: "init.slotAsked")
            try archive.upstream.sql("select pg_create_physical_replication_slot('pgarchive_main', true)")
            let other = try archive.foreignReceiver(slot: "pgarchive_main")
            let purge = try archive.pgarchive.run("container", "purge", "--force", deadline: 120)
            #expect(purge.status == 0, "\(purge)")
            #expect(try archive.upstream.slots() == ["pgarchive_main"])
            #expect(other.isRunning, "\(other.error)")
            other.signal(SIGKILL)
            try other.wait(deadline: 10)
        }
    }

    /// Two hosts whose containers have one name: who comes second is refused, and takes nothing away.
    @Test func aSlotThatIsMadeBetweenLookingAndAsking() throws {
        try asOwner { archive in
            let (process, _) = try archive.initThatStops(at: "init.slotAsked")
            try archive.upstream.sql("select pg_create_physical_replication_slot('pgarchive_main', true)")
            process.signal(SIGCONT)
            let result = try process.wait(deadline: 60)
            #expect(result.status != 0, "\(result)")
            #expect(try archive.upstream.slots() == ["pgarchive_main"])
            try archive.upstream.sql("select pg_drop_replication_slot('pgarchive_main')")
            try expectNothingLeft(archive)
        }
    }

    @Test func twoInitsAtOnce() throws {
        try asOwner { archive in
            let (first, _) = try archive.initThatStops(at: "init.receiverStarted")
            let second = try archive.pgarchive.run(archive.initArguments, deadline: 120)
            expectRefusal(second, status: 7, mentions: "\(first.pid)")
            expectRefusal(try archive.pgarchive.run("container", "purge", "--force"), status: 7)
            first.signal(SIGCONT)
            let result = try first.wait(deadline: 180)
            #expect(result.status == 0, "\(result)")
            try archive.usePortsOfItsOwn()
            try expectHealthy(archive)
        }
    }

    /// The mark alone does not make a leftover of a container that is used.
    @Test func aMarkInAContainerWithSnapshots() throws {
        try asOwner { archive in
            try archive.initialise()
            try archive.replayEverything()
            let snapshot = try archive.takeSnapshot().name
            try archive.pgarchive("clone", "create", snapshot, "one")
            try archive.pgarchive("clone", "start", "one")
            try archive.pgarchive("container", "stop")
            let mark = "\(archive.path)/initialising.json"
            let upstream = archive.upstream.replicationConnection
            let text = #"{"slot": "pgarchive_main", "upstream": "\#(upstream)", "askedAt": "0/1", "isMade": true}"#
            try SpoiltFile.write(text, to: mark)
            expectRefusal(try archive.pgarchive.run(archive.initArguments), status: 7, mentions: "initialising.json")
            expectRefusal(try archive.pgarchive.run("container", "purge", "--force"), status: 7, mentions: "clone one")
            #expect(try archive.upstream.slots() == ["pgarchive_main"])
            #expect(try archive.query("one", "select 1") == "1")
            try TestCommand("/bin/rm", [mark]).succeed()
            try archive.pgarchive("container", "start")
            try expectHealthy(archive)
        }
    }

    private func asOwner(_ kind: TestFilesystem.Kind = .plain, _ body: (TestArchive) throws -> Void) throws {
        var options = TestArchive.Options(kind)
        options.user = .owner
        try TestArchive.with(options, initialise: false, body)
    }

    private func expectHealthy(_ archive: TestArchive) throws {
        try archive.pgarchive("container", "status")
        try archive.switchAndReceive()
        try archive.finish()
    }

    private func expectNothingLeft(_ archive: TestArchive, sourceLocation: SourceLocation = #_sourceLocation) throws {
        for sentence in try InvariantsChecker(archive).leftovers() {
            Issue.record("\(sentence)", sourceLocation: sourceLocation)
        }
    }
}

extension TestArchive {
    /// As if killed between two instructions: nothing is cleaned up.
    func dieInInit(at moment: String) throws {
        let result = try pgarchive.setting("PGARCHIVE_FAULT", "\(moment)=exit").run(initArguments, deadline: 180)
        guard result.status == 86 else { throw TestFailure("did not die at \(moment): \(result)") }
    }

    /// An init that has come to a moment and stays there.
    func initThatStops(at moment: String) throws -> (process: TestProcess, mark: String) {
        let mark = "\(directory.path)/stopped-\(moment)"
        let process = try stopping(at: moment, mark: mark).command(initArguments).start()
        try process.awaitStop(mark: mark)
        return (process, mark)
    }

    func stopping(at moment: String, mark: String) -> PgArchive {
        pgarchive.setting("PGARCHIVE_FAULT", "\(moment)=stop").setting("PGARCHIVE_FAULT_MARK", mark)
    }

    /// pg_receivewal on a slot, as another host's archive would use it.
    func foreignReceiver(slot: String) throws -> TestProcess {
        let place = try directory.subdirectory("foreign-\(slot)")
        let words = ["-D", place, "-S", slot, "-d", upstream.replicationConnection]
        let process = try TestCommand("\(upstream.bin)/pg_receivewal", words).start()
        try eventually(within: 30, "pg_receivewal uses \(slot)") {
            guard process.isRunning else { throw TestFailure("pg_receivewal ended: \(process.error)") }
            return try upstream.sql("select active from pg_replication_slots where slot_name = '\(slot)'") == "t"
        }
        return process
    }
}

extension TestProcess {
    /// Waits until it has stopped itself; the mark is made just before.
    func awaitStop(mark: String) throws {
        try eventually(within: 120, "stopped at \(mark)") {
            guard isRunning else { throw TestFailure("ended: \(output)\(error)") }
            guard FileManager.default.fileExists(atPath: mark),
                let stat = try? String(contentsOfFile: "/proc/\(pid)/stat", encoding: .utf8)
            else { return false }
            return stat.split(separator: ")").last?.hasPrefix(" T") == true
        }
    }
}
