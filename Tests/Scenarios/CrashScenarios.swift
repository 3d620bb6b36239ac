import ArchiveTesting
import Foundation
import Testing

/// kill -9 of everything that runs, under load: nothing acknowledged is lost, and nobody has to repair anything.
@Suite(
    "kill -9",
    .enabled(if: TestEnvironment.hasPostgres, TestEnvironment.noPostgres),
    .keepsEvidence
)
struct CrashScenarios {
    @Test(arguments: TestFilesystem.Kind.btrfsOrElsePlain)
    func everythingRunsAgainAndNothingIsLost(_ kind: TestFilesystem.Kind) throws {
        var options = TestArchive.Options(kind)
        options.pgbenchScale = 1
        try TestArchive.with(options) { archive in
            let load = try archive.upstream.startPgbench(seconds: 40, clients: 4, rate: 500)
            for round in 1...3 {
                try kill(archive.receivers, "receiver, round \(round)")
                try allRuns(archive, "after the receiver's death, round \(round)")
                try kill(archive.standbyPostmaster.map { [$0] } ?? [], "standby, round \(round)")
                try allRuns(archive, "after the standby's death, round \(round)")
                try kill(archive.supervisors, "supervisor, round \(round)")
                try allRuns(archive, "after the supervisor's death, round \(round)")
            }
            // All at once, with what would start them again: like a host that went down.
            try kill(archive.guardians + archive.supervisors, "supervisor")
            try kill(archive.receivers + (archive.standbyPostmaster.map { [$0] } ?? []), "receiver and standby")
            try archive.pgarchive("container", "start")
            try allRuns(archive, "after everything's death")
            load.signal(SIGTERM)
            try load.wait()

            try archive.replayEverything()
            _ = try archive.takeSnapshot()
            try archive.pgarchive("clone", "create", "end", "--latest", "--start")
            // pgbench's own invariant: all four sums are one number.
            let sums = try archive.query(
                "end",
                """
                select count(distinct n) from (select sum(abalance) n from pgbench_accounts
                union all select sum(tbalance) from pgbench_tellers union all select sum(bbalance) from pgbench_branches
                union all select sum(delta) from pgbench_history) s
                """
            )
            #expect(sums == "1")
            try #expect(
                archive.query("end", "select count(*) from pgbench_history")
                    == archive.upstream.sql("select count(*) from pgbench_history")
            )
            try archive.finish()
        }
    }

    @Test func aSecondSupervisorIsRefusedWithTheHoldersPid() throws {
        try TestArchive.with(TestArchive.Options()) { archive in
            let running = try #require(archive.supervisors.first)
            let second = try archive.pgarchive.run("container", "run", deadline: 20)
            expectRefusal(second, status: 7, mentions: "\(running.pid)")
            #expect(archive.supervisors.map(\.pid) == [running.pid])
            // A clone survives its supervisor, and is found again.
            _ = try archive.takeSnapshot()
            try archive.pgarchive("clone", "create", "survivor", "--latest", "--start")
            try kill(archive.guardians + archive.supervisors, "supervisor")
            try archive.pgarchive("container", "start")
            try archive.pgarchive("clone", "status", "survivor")
            try #expect(archive.query("survivor", "select 1") == "1")
            try archive.switchAndReceive()
            try archive.finish()
        }
    }

    private func kill(_ processes: [SeenProcess], _ what: String) throws {
        try #require(!processes.isEmpty, "no \(what) to kill")
        for process in processes { Foundation.kill(process.pid, SIGKILL) }
        try eventually(within: 10, "the \(what) is dead") {
            processes.allSatisfy { ProcessTable.process($0.pid).map { !$0.isAlive } ?? true }
        }
    }

    private func allRuns(_ archive: TestArchive, _ when: String) throws {
        try eventually(within: 40, "all is running \(when)", every: 0.1) {
            let status = try archive.pgarchive.run("container", "status")
            guard status.status == 0 else { throw TestFailure("\(status)") }
            return true
        }
        #expect(archive.supervisors.count == 1)
        #expect(archive.receivers.count == 1)
    }
}
