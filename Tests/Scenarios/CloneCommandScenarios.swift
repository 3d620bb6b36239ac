import ArchiveTesting
import Foundation
import Testing

/// Commands on clones that meet each other, that are killed, and that are interrupted.
@Suite(
    "Clone commands",
    .enabled(if: TestEnvironment.hasPostgres, TestEnvironment.noPostgres),
    .keepsEvidence
)
struct CloneCommandScenarios {
    /// While one command is at work on a clone, every other that would change it is refused.
    @Test func oneCommandAtATimeOnAClone() throws {
        try TestArchive.with(TestArchive.Options()) { archive in
            _ = try archive.takeSnapshot()
            try archive.pgarchive("clone", "create", "one", "--latest")
            let starting = try archive.halt(at: "clone.beforeLaunch", "clone", "start", "one")
            for words in [
                ["delete", "one"], ["duplicate", "one", "two"], ["start", "one"], ["restart", "one"],
                ["stop", "one", "-t", "1"],
            ] {
                let refused = try archive.pgarchive.run(["clone"] + words)
                expectRefusal(refused, status: 7, mentions: "process \(starting.pid)")
            }
            let port = try archive.cloneRecord("one").find("port")
            starting.signal(SIGCONT)
            let result = try starting.wait()
            #expect(result.status == 0, "\(result)")
            // It still has its port, and what it learnt of its recovery.
            #expect(try archive.cloneRecord("one").find("port") == port)
            #expect(try archive.cloneRecord("one").find("state")?.string == "recovered")
            try #expect(archive.query("one", "select pg_is_in_recovery()") == "f")
            expectRefusal(try archive.pgarchive.run("clone", "start", "one"), status: 7, mentions: "running already")
            #expect(try archive.cloneRecord("one").find("port") == port)
            try archive.discard("one")
            #expect(try !archive.runFiles().contains { $0.hasSuffix("one.lock") })
            try archive.switchAndReceive()
            try archive.finish()
        }
    }

    /// As with pg_ctl: what is not waited for goes on by itself.
    @Test func aStartThatIsNotWaitedFor() throws {
        try TestArchive.with(TestArchive.Options()) { archive in
            try archive.upstream.sql("create table t as select 1 as n")
            try archive.replayEverything()
            _ = try archive.takeSnapshot()
            try archive.pgarchive("clone", "create", "one", "--latest")
            expectRefusal(
                try archive.pgarchive.run("clone", "start", "one", "-o", "-c work_mem=1MB"),
                status: 2,
                mentions: "clones/one/postgresql.conf"
            )
            let mark = "\(archive.directory.path)/waits"
            let halted = archive.stopping(at: "clone.beforePromote", mark: mark)
            let late = try halted.run("clone", "start", "one", "-t", "2")
            expectRefusal(late, status: 1, mentions: "goes on")
            try eventually(within: 60, "it is at its target") { FileManager.default.fileExists(atPath: mark) }
            let busy = try archive.pgarchive.run("clone", "stop", "one", "-W")
            expectRefusal(busy, status: 7, mentions: "clone start one")
            let starting = try #require(archive.cloneStarts.first)
            #expect(busy.error.contains("kill \(starting.pid)"), "\(busy)")
            try eventually(within: 30, "it has stopped itself") {
                kill(starting.pid, SIGCONT)
                return try archive.cloneRecord("one").find("state")?.string == "recovered"
            }
            try eventually(within: 60, "it takes writes") {
                try archive.pgarchive.run("clone", "psql", "one", "-XAtqc", "insert into t values (2)").status == 0
            }
            try eventually(within: 60, "the start has ended") { archive.cloneStarts.isEmpty }
            // In time: what it says is shown.
            let again = try archive.pgarchive("clone", "restart", "one", "-w", "-t", "120", deadline: 150)
            #expect(again.output.contains("is running on port"), "\(again)")
            expectRefusal(try archive.pgarchive.run("clone", "start", "one", "-W"), status: 7, mentions: "already")
            try archive.pgarchive("clone", "stop", "one", "-m", "immediate")
            let started = try archive.pgarchive("clone", "start", "one", "-W")
            #expect(started.output.contains("is being started"), "\(started)")
            try eventually(within: 60, "it answers") {
                try archive.pgarchive.run("clone", "psql", "one", "-XAtqc", "select 1").status == 0
            }
            try aSmartStopOfAClone(archive)
            try archive.switchAndReceive()
            try archive.finish()
        }
    }

    private func aSmartStopOfAClone(_ archive: TestArchive) throws {
        let client = try archive.pgarchive.start("clone", "psql", "one", "-XAtqc", "select pg_sleep(600)")
        try eventually(within: 60, "a client is there") {
            try archive.query("one", "select count(*) from pg_stat_activity where wait_event = 'PgSleep'") == "1"
        }
        let late = try archive.pgarchive.run("clone", "stop", "one", "-m", "smart", "-t", "1")
        expectRefusal(late, status: 1, mentions: "goes on")
        try archive.pgarchive("clone", "stop", "one", "-m", "smart", "-W")
        let patient = try archive.pgarchive.start("clone", "stop", "one", "-m", "smart")
        try archive.pgarchive("clone", "stop", "one", "-m", "fast")
        try #expect(patient.wait().status == 0)
        _ = try client.wait()
    }

    /// Killed at its target, or just promoted: the server that is left takes no processor time, and the next start
    /// goes on with it.
    @Test(arguments: ["clone.beforePromote", "clone.beforeCheck"])
    func aKilledStartIsTakenOver(_ place: String) throws {
        try TestArchive.with(TestArchive.Options()) { archive in
            try archive.upstream.sql("create table t as select 1 as n")
            try archive.replayEverything()
            _ = try archive.takeSnapshot()
            try archive.pgarchive("clone", "create", "left", "--latest")
            let killed = try archive.pgarchive.setting("PGARCHIVE_FAULT", "\(place)=exit").run("clone", "start", "left")
            #expect(killed.status == 86, "\(killed)")
            let data = "\(archive.path)/clones/left/root/data"
            let left = try #require(archive.postmaster(of: data))
            #expect(try archive.cloneRecord("left").find("state")?.string == "created")
            let isRecovering = place == "clone.beforePromote"
            if isRecovering {
                try #expect(archive.query("left", "select pg_is_in_recovery(), n from t") == "t|1")
                // It asks for more ever less often: one fetch is there for two whole seconds.
                var seen: (fetch: SeenProcess, since: Date)?
                try eventually(within: 40, "a clone at its target waits", every: 0.05) {
                    guard let fetch = archive.fetch(of: "left"), fetch.pid == seen?.fetch.pid else {
                        seen = archive.fetch(of: "left").map { ($0, Date()) }
                        return false
                    }
                    return Date().timeIntervalSince(seen?.since ?? Date()) > 2
                }
            }
            try archive.pgarchive("clone", "start", "left")
            #expect(archive.postmaster(of: data)?.pid == left.pid)
            try #expect(archive.query("left", "select pg_is_in_recovery(), n from t") == "f|1")
            #expect(try archive.cloneRecord("left").find("state")?.string == "recovered")
            try archive.switchAndReceive()
            try archive.finish()
        }
    }

    /// What a killed create leaves is in nobody's way, and goes with the next command that comes by.
    @Test func aKilledCreateIsCleanedUpByWhateverComesNext() throws {
        try TestArchive.with(TestArchive.Options()) { archive in
            let names = try [archive.takeSnapshot().name, archive.takeSnapshot().name]
            let dying = archive.pgarchive.setting("PGARCHIVE_FAULT", "clone.beforeRecord=exit")
            for next in [["snapshot", "delete", names[0]], ["snapshot", "expire"], ["clone", "delete", "dead"]] {
                let snapshot = try archive.pgarchive("snapshot", "list", "--quiet").lines[0]
                let killed = try dying.run("clone", "create", "dead", "--snapshot", snapshot, "--latest")
                #expect(killed.status == 86, "\(killed)")
                #expect(FileManager.default.fileExists(atPath: "\(archive.path)/clones/dead"))
                try archive.pgarchive.succeed(next)
                #expect(!FileManager.default.fileExists(atPath: "\(archive.path)/clones/dead"), "\(next)")
            }
            try #expect(archive.pgarchive("snapshot", "list", "--quiet").lines == [names[1]])
            try archive.switchAndReceive()
            try archive.finish()
        }
    }

    /// What a clone needs whose record cannot be read is unknown: nothing expires, until it is deleted by its name.
    @Test func aCloneWithADamagedRecordCanBeDeleted() throws {
        try TestArchive.with(TestArchive.Options()) { archive in
            let snapshot = try archive.takeSnapshot().name
            try archive.pgarchive("clone", "create", "spoilt", "--latest", "--start")
            try SpoiltFile.write("{", to: "\(archive.path)/clones/spoilt/clone.json")
            #expect(try archive.pgarchive("clone", "list").error.contains("clone 'spoilt' is not listed"))
            for words in [["snapshot", "expire"], ["snapshot", "delete", snapshot]] {
                let refused = try archive.pgarchive.run(words)
                expectRefusal(refused, status: 1, mentions: "clone delete spoilt")
            }
            // Not under its server, all the same.
            expectRefusal(try archive.pgarchive.run("clone", "delete", "spoilt"), status: 7, mentions: "is running")
            let server = try #require(archive.postmaster(of: "\(archive.path)/clones/spoilt/root/data"))
            kill(server.pid, SIGQUIT)
            try eventually("the server has ended") { ProcessTable.process(server.pid).map { !$0.isAlive } ?? true }
            try archive.pgarchive("clone", "delete", "spoilt")
            #expect(!FileManager.default.fileExists(atPath: "\(archive.path)/clones/spoilt"))
            try archive.pgarchive("snapshot", "expire")
            try archive.switchAndReceive()
            try archive.finish()
        }
    }

    /// Ctrl-C during a copy: exit 5, and nothing is left of it.
    @Test(arguments: [SIGINT, SIGTERM])
    func anInterruptedCopyLeavesNothing(_ signal: Int32) throws {
        try TestArchive.with(TestArchive.Options()) { archive in
            _ = try archive.takeSnapshot()
            try archive.pgarchive("clone", "create", "source", "--latest")
            for words in [
                ["clone", "create", "half", "--latest"], ["clone", "duplicate", "source", "half"],
                ["snapshot", "create", "--name", "half"],
            ] {
                let copying = try archive.halt(at: "copy.beforeFile", passage: 20, words)
                copying.signal(signal)
                copying.signal(SIGCONT)
                let result = try copying.wait(deadline: 30)
                #expect(result.status == 5, "\(result)")
                for folder in ["clones", "snapshots"] {
                    #expect(!FileManager.default.fileExists(atPath: "\(archive.path)/\(folder)/half"), "\(words)")
                }
            }
            // Nothing of it is in the way of the next.
            try archive.pgarchive("snapshot", "create", "--name", "half")
            try archive.pgarchive("clone", "duplicate", "source", "half")
            try archive.pgarchive("clone", "start", "half")
            try archive.switchAndReceive()
            try archive.finish()
        }
    }

    /// What recovery needs of the upstream's settings is the user's to change once the clone has recovered.
    @Test func theUpstreamsSettingsAreTheUsersAfterRecovery() throws {
        var options = TestArchive.Options()
        options.upstream.settings = ["max_connections": "150", "max_prepared_transactions": "7"]
        try TestArchive.with(options) { archive in
            try archive.upstream.sql("create table t (n int)")
            try archive.upstream.sql("begin; insert into t values (1); prepare transaction 'held'")
            try archive.replayEverything()
            _ = try archive.takeSnapshot()
            try archive.pgarchive("clone", "create", "own", "--latest")
            let file = "\(archive.path)/clones/own/postgresql.conf"
            #expect(try String(contentsOfFile: file, encoding: .utf8).contains("max_connections = 150\n"))
            try archive.edit(file, ["max_connections = 150": "max_connections = 30"])
            // Recovery has what it needs, whatever stands in the file.
            try archive.pgarchive("clone", "start", "own")
            try #expect(archive.query("own", "show max_connections") == "150")
            try archive.edit(file, ["max_prepared_transactions = 7": "max_prepared_transactions = 0"])
            for mode in ["immediate", "fast"] {
                try archive.pgarchive("clone", "restart", "own", "-m", mode)
                try #expect(archive.query("own", "show max_connections") == "30")
                try #expect(archive.query("own", "select count(*) from pg_prepared_xacts") == "1")
                // After a crash nobody knows how many there are.
                let slots = try archive.query("own", "show max_prepared_transactions")
                #expect(slots == (mode == "fast" ? "1" : "7"))
            }
            _ = try archive.query("own", "commit prepared 'held'")
            try archive.pgarchive("clone", "restart", "own")
            try #expect(archive.query("own", "show max_prepared_transactions") == "0")
            try #expect(archive.query("own", "select n from t") == "1")
            try archive.upstream.sql("rollback prepared 'held'")
            try archive.switchAndReceive()
            try archive.finish()
        }
    }
}

extension TestArchive {
    fileprivate var cloneStarts: [SeenProcess] {
        processes { $0.arguments.starts(with: ["clone", "start"], after: 1) }
    }

    /// Makes a clone and kills its start when it stands at its target: what is left is a read-only server.
    func leaveAtTarget(_ name: String) throws {
        try pgarchive("clone", "create", name, "--latest")
        let killed = try pgarchive.setting("PGARCHIVE_FAULT", "clone.beforePromote=exit").run("clone", "start", name)
        guard killed.status == 86 else { throw TestFailure("not killed: \(killed)") }
    }

    /// Lets a clone at its target believe that it has been there for an hour, and waits until its fetch sits that out.
    func waitForLongFetch(_ name: String) throws {
        let end = "\(path)/clones/\(name)/recovery.end"
        try eventually("it has asked for more") { FileManager.default.fileExists(atPath: end) }
        try TestCommand("/usr/bin/touch", ["-d", "1 hour ago", end]).succeed()
        var seen: (fetch: SeenProcess, since: Date)?
        try eventually(within: 30, "its fetch waits", every: 0.02) {
            guard let fetch = fetch(of: name), fetch.pid == seen?.fetch.pid else {
                seen = fetch(of: name).map { ($0, Date()) }
                return false
            }
            return Date().timeIntervalSince(seen?.since ?? Date()) > 0.5
        }
    }

    /// The restore_command that a clone runs at this moment.
    func fetch(of clone: String) -> SeenProcess? {
        ProcessTable.all().first { process in
            process.workingDirectory == "\(path)/clones/\(clone)/root/data"
                && process.arguments.first?.hasSuffix("pgarchive-wal") == true
        }
    }

    /// Runs a command up to a fault point, and returns it stopped there.
    func halt(at place: String, passage: Int = 1, _ words: String...) throws -> TestProcess {
        try halt(at: place, passage: passage, words)
    }

    func halt(at place: String, passage: Int = 1, _ words: [String]) throws -> TestProcess {
        let process = try pgarchive.setting("PGARCHIVE_FAULT", "\(place)=stop@\(passage)").command(words).start()
        try eventually(within: 30, "\(words) has come to \(place)") {
            guard process.isRunning else { throw TestFailure("it ended: \(process.output)\(process.error)") }
            return ProcessTable.process(process.pid)?.state == "T"
        }
        return process
    }

    func cloneRecord(_ name: String) throws -> JSONValue {
        let text = try String(contentsOfFile: "\(path)/clones/\(name)/clone.json", encoding: .utf8)
        guard let record = JSONValue(text) else { throw TestFailure("not JSON: \(text)") }
        return record
    }

    func runFiles() throws -> [String] { try FileManager.default.contentsOfDirectory(atPath: "\(path)/run") }

    /// Edits a file in place, as its user would.
    func edit(_ file: String, _ changes: [String: String]) throws {
        var text = try String(contentsOfFile: file, encoding: .utf8)
        for (old, new) in changes {
            guard text.contains(old) else { throw TestFailure("\(file) has no '\(old)'") }
            text = text.replacingOccurrences(of: old, with: new)
        }
        try SpoiltFile.write(text, to: file)
    }
}
