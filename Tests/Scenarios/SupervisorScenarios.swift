import ArchiveTesting
import Foundation
import Testing

/// Starting and stopping, whatever else happens at the same moment.
@Suite(
    "Supervisor",
    .enabled(if: TestEnvironment.hasPostgres, TestEnvironment.noPostgres),
    .keepsEvidence
)
struct SupervisorScenarios {
    @Test func twoStartsAtOnceAreOneStartAndAStopStopsBoth() throws {
        try TestArchive.with(TestArchive.Options()) { archive in
            try archive.pgarchive("container", "stop")
            #expect(archive.guardians.isEmpty)
            let starts = try (0..<3).map { _ in try archive.pgarchive.start("container", "start") }
            for start in starts { try #expect(start.wait(deadline: 120).status == 0) }
            try eventually("one of the starters goes on") { archive.guardians.count == 1 }
            #expect(archive.supervisors.count == 1)
            try archive.pgarchive("container", "stop")
            try expectNothingRuns(archive)
            try archive.pgarchive("container", "start")
            try archive.switchAndReceive()
            try archive.finish()
        }
    }

    /// A supervisor that keeps dying is started again after ever longer pauses; in one of them nobody listens.
    @Test func aPauseBeforeARestartIsNoHoleForStartsAndStops() throws {
        try TestArchive.with(TestArchive.Options()) { archive in
            try killUntilAPause(archive)
            // Not at the pause's end, but now.
            try archive.pgarchive("standby", "restart")
            #expect(archive.supervisors.count == 1 && archive.guardians.count == 1)

            try killUntilAPause(archive)
            try archive.pgarchive("standby", "stop")
            #expect(archive.standbyPostmaster == nil)
            try eventually(within: 40, "a supervisor is there again") { archive.supervisors.count == 1 }
            try archive.pgarchive("wal_archive", "start")
            let status = try archive.pgarchive.run("standby", "status")
            #expect(status.status == 1 && archive.standbyPostmaster == nil, "\(status)")

            try killUntilAPause(archive)
            try archive.pgarchive("container", "stop")
            try expectNothingRuns(archive)
            try archive.pgarchive("container", "start")
            try archive.pgarchive("container", "status")
            try archive.switchAndReceive()
            try archive.finish()
        }
    }

    @Test func whatWasStoppedPartByPartStaysStoppedWhenTheSupervisorDies() throws {
        try TestArchive.with(TestArchive.Options()) { archive in
            let stops = try [["wal_archive", "stop"], ["standby", "stop"]].map {
                try archive.pgarchive.command($0).start()
            }
            for stop in stops { try #expect(stop.wait().status == 0) }
            let first = try #require(archive.supervisors.first)
            kill(first.pid, SIGKILL)
            try eventually(within: 40, "another supervisor answers") {
                guard let next = archive.supervisors.first, next.pid != first.pid else { return false }
                // Stopping what is stopped changes nothing, and is answered only by one that has read what is wanted.
                return try archive.pgarchive.run("standby", "stop").status == 0
            }
            #expect(archive.receivers.isEmpty && archive.standbyPostmaster == nil)
            // A start of the whole is one of all parts, after a stop of the whole too.
            try archive.pgarchive("container", "stop")
            let foreground = try archive.pgarchive.start("container", "run")
            try eventually(within: 60, "all runs", every: 0.1) {
                try archive.pgarchive.run("container", "status").status == 0
            }
            foreground.signal(SIGTERM)
            try #expect(foreground.wait().status == 0)
            try expectNothingRuns(archive)
            try archive.pgarchive("container", "start")
            try archive.switchAndReceive()
            try archive.finish()
        }
    }

    @Test func aSmartStopWaitsAndCanBeMadeSharper() throws {
        try TestArchive.with(TestArchive.Options()) { archive in
            let client = try stayConnected(archive)
            let postmaster = try #require(archive.standbyPostmaster)
            let impatient = try archive.pgarchive.run("standby", "stop", "-m", "smart", "-t", "1")
            expectRefusal(impatient, status: 1, mentions: "clients")
            try #expect(archive.pgarchive.run("standby", "stop", "-m", "smart", "-W").status == 0)
            #expect(archive.standbyPostmaster?.pid == postmaster.pid)
            let patient = try archive.pgarchive.start("standby", "stop", "-m", "smart")
            try archive.pgarchive("standby", "stop", "-m", "fast")
            #expect(archive.standbyPostmaster == nil)
            // Who waited for the same end has it too.
            try #expect(patient.wait().status == 0)
            try client.wait()

            try archive.pgarchive("standby", "start", "-w", "-t", "60")
            let another = try stayConnected(archive)
            let whole = try archive.pgarchive.start("container", "stop", "-m", "smart")
            try eventually("the smart stop is under way") {
                try archive.pgarchive.run("standby", "status").output.contains("clients")
                    || archive.pgarchive.run("standby", "status").error.contains("clients")
                    || archive.receivers.isEmpty
            }
            try archive.pgarchive("container", "stop", "-m", "fast")
            try #expect(whole.wait().status == 0)
            try another.wait()
            try expectNothingRuns(archive)
            try archive.pgarchive("container", "start")
            try archive.switchAndReceive()
            try archive.finish()
        }
    }

    @Test func aStartIsAnsweredByWhatItDoesAndNotByWhatFailedBefore() throws {
        try TestArchive.with(TestArchive.Options()) { archive in
            let own = "\(archive.path)/standby.conf"
            // PostgreSQL would say at each start that it is missing.
            #expect(FileManager.default.fileExists(atPath: own))
            #expect(!(try text("\(archive.path)/log/standby/startup.log").contains("skipping missing")))
            try SpoiltFile.write("no_such_setting = 1\n", to: own)
            let broken = try archive.pgarchive.run("standby", "restart")
            expectRefusal(broken, status: 1, mentions: "standby")
            // The pauses between the tries grow; in one of them the user mends it.
            try eventually(within: 60, "the tries have become rare", every: 0.1) {
                try text("\(archive.path)/log/supervisor.log").contains("next try in 1.6")
            }
            try SpoiltFile.write("", to: own)
            try archive.pgarchive("standby", "start")
            try #expect(archive.standbySQL("select 1") == "1")

            // One thing has one name, whoever says it.
            let restarted = try archive.pgarchive.json("standby", "restart")
            let status = try archive.pgarchive.json("standby", "status")
            #expect(restarted.find("state")?.string == status.find("state")?.string, "\(restarted), \(status)")
            #expect(restarted.find("state") != nil && restarted.find("phase") == nil, "\(restarted)")

            let refused = try archive.pgarchive.run("standby", "start", "-o", "-c work_mem=1MB")
            expectRefusal(refused, status: 2, mentions: "standby.conf")
            try archive.switchAndReceive()
            try archive.finish()
        }
    }

    @Test func aReceiverThatIsStoppedShowsIt() throws {
        try TestArchive.with(TestArchive.Options()) { archive in
            let receiver = try #require(archive.receivers.first)
            kill(receiver.pid, SIGSTOP)
            defer { kill(receiver.pid, SIGCONT) }
            try eventually(within: 90, "the status says that the receiver is silent", every: 0.5) {
                let status = try archive.pgarchive.run("container", "status")
                return status.status == 1 && status.output.contains("silent")
                    && status.output.contains("has said nothing for")
            }
            kill(receiver.pid, SIGCONT)
            try eventually(within: 60, "it streams again", every: 0.1) {
                let status = try archive.pgarchive.run("container", "status")
                return status.status == 0 && status.output.contains("streaming")
            }
            // A stopped process hears no SIGTERM; it is ended all the same.
            kill(receiver.pid, SIGSTOP)
            try archive.pgarchive("wal_archive", "stop", deadline: 90)
            #expect(archive.receivers.isEmpty)
            try archive.pgarchive("wal_archive", "start")
            try archive.switchAndReceive()
            try archive.finish()
        }
    }

    @Test func aSupervisorWithoutFilesOrThreadsGoesOn() throws {
        try TestArchive.with(TestArchive.Options()) { archive in
            let supervisor = try #require(archive.supervisors.first)
            let parts = (archive.receivers + [archive.standbyPostmaster].compactMap { $0 }).map(\.pid)
            for limit in ["nproc", "nofile"] {
                let name = limit == "nproc" ? "Max processes" : "Max open files"
                let usual = try text("/proc/\(supervisor.pid)/limits").components(separatedBy: name).last?
                    .split(separator: " ").first
                try setLimit(limit, "4", of: supervisor)
                // Needs a file and a thread to be answered.
                _ = try archive.pgarchive.run("container", "status")
                try eventually("the supervisor says so") {
                    try text("\(archive.path)/log/supervisor.log").contains("a request cannot be answered")
                }
                try setLimit(limit, String(try #require(usual)), of: supervisor)
                #expect(archive.supervisors.map(\.pid) == [supervisor.pid], "\(limit)")
                try eventually(within: 60, "all is well again", every: 0.1) {
                    try archive.pgarchive.run("container", "status").status == 0
                }
                try TestCommand("/usr/bin/truncate", ["-s", "0", "\(archive.path)/log/supervisor.log"]).succeed()
            }
            #expect((archive.receivers + [archive.standbyPostmaster].compactMap { $0 }).map(\.pid) == parts)
            try archive.switchAndReceive()
            try archive.finish()
        }
    }

    /// As logrotate does it: the file is moved away, and nobody is told.
    @Test func linesGoToANewLogWhenTheOldOneWasMoved() throws {
        try TestArchive.with(TestArchive.Options()) { archive in
            let logs = ["wal_archive.log", "supervisor.log"].map { "\(archive.path)/log/\($0)" }
            for log in logs { try TestCommand("/bin/mv", [log, "\(log).1"]).succeed() }
            try archive.upstream.sql("select pg_terminate_backend(pid) from pg_stat_replication")
            try archive.pgarchive("standby", "restart")
            try eventually("both go on in new files") {
                try text(logs[0]).contains("trying again") && text(logs[1]).contains("standby: started")
            }
            for log in logs { #expect(try !text("\(log).1").isEmpty) }
            try archive.pgarchive("wal_archive", "log")
            try archive.switchAndReceive()
            try archive.finish()
        }
    }

    /// A container runs for years.
    @Test func largeLogsAreMovedAwayByThemselves() throws {
        try TestArchive.with(TestArchive.Options()) { archive in
            let logs = ["wal_archive.log", "supervisor.log", "standby/startup.log"].map { "\(archive.path)/log/\($0)" }
            let following = try archive.pgarchive.start("wal_archive", "log", "-f")
            try eventually("the log is followed") { !following.output.isEmpty }
            for log in logs { try TestCommand("/usr/bin/truncate", ["-s", "+5M", log]).succeed() }
            try archive.upstream.sql("select pg_terminate_backend(pid) from pg_stat_replication")
            try archive.pgarchive("standby", "restart")
            try eventually("all go on in new files") {
                try text(logs[0]).contains("trying again") && text(logs[1]).contains("standby: started")
            }
            for log in logs {
                #expect(try text("\(log).1").utf8.count > 5 << 20, "\(log)")
                #expect(try text(log).utf8.count < 1 << 20, "\(log)")
            }
            try eventually("the new file is followed") { following.output.contains("trying again") }
            following.signal(SIGTERM)
            _ = try following.wait(deadline: 10)
            try archive.switchAndReceive()
            try archive.finish()
        }
    }

    @Test(.enabled(if: TestFilesystem.Kind.tmpfs.isAvailable, "needs root, to mount"))
    func aFullDiskDoesNotKeepTheStandbyRunning() throws {
        var options = TestArchive.Options(.tmpfs)
        options.megabytes = 700
        try TestArchive.with(options) { archive in
            let filler = "\(archive.path)/filler"
            _ = try TestCommand("/bin/dd", ["if=/dev/zero", "of=\(filler)", "bs=64k"]).run()
            let stop = try archive.pgarchive.run("standby", "stop")
            #expect(archive.standbyPostmaster == nil, "\(stop)")
            let whole = try archive.pgarchive.run("container", "stop")
            try expectNothingRuns(archive)
            #expect(whole.status == 0, "\(whole)")
            try TestCommand("/bin/rm", [filler]).succeed()
            try archive.pgarchive("container", "start")
            try archive.switchAndReceive()
            try archive.finish()
        }
    }

    // MARK: - Steps

    private func expectNothingRuns(_ archive: TestArchive, sourceLocation: SourceLocation = #_sourceLocation) throws {
        let left = archive.supervisors + archive.guardians + archive.receivers
        #expect(left.isEmpty && archive.standbyPostmaster == nil, sourceLocation: sourceLocation)
    }

    /// Kills supervisors until the next one is some seconds away.
    private func killUntilAPause(_ archive: TestArchive) throws {
        let log = "\(archive.path)/log/supervisor.log"
        let pauses = { try text(log).components(separatedBy: "the supervisor died").count }
        var pause = 0.0
        while pause < 3 {
            let before = try pauses()
            var killed: Int32 = 0
            try eventually(within: 40, "there is a supervisor to kill") {
                killed = archive.supervisors.first?.pid ?? 0
                return killed != 0
            }
            kill(killed, SIGKILL)
            try eventually(within: 10, "its death is noticed") { try pauses() > before }
            let words = try text(log).components(separatedBy: "started again in ").last ?? ""
            pause = Double(words.prefix { $0 != " " }) ?? 0
        }
    }

    /// A session that stays until it is sent away.
    private func stayConnected(_ archive: TestArchive) throws -> TestProcess {
        let process = try archive.pgarchive.start("standby", "psql", "-XAtqc", "select pg_sleep(600)")
        try eventually("the client is connected") {
            try archive.standbySQL("select count(*) from pg_stat_activity where query like '%pg_sleep(600)'") == "1"
        }
        return process
    }

    private func setLimit(_ name: String, _ value: String, of process: SeenProcess) throws {
        try TestCommand("/usr/bin/prlimit", ["--pid", "\(process.pid)", "--\(name)=\(value):"]).succeed()
    }

    private func text(_ path: String) throws -> String {
        guard let data = FileManager.default.contents(atPath: path) else { throw TestFailure("no \(path)") }
        return String(decoding: data, as: UTF8.self)
    }
}
