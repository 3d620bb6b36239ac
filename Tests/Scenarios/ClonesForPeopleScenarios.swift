import ArchiveTesting
import Foundation
import Testing

/// Clones that people keep, share, forget and throw away.
@Suite(
    "Clones for people",
    .enabled(if: TestEnvironment.hasPostgres, TestEnvironment.noPostgres),
    .keepsEvidence
)
struct ClonesForPeopleScenarios {
    private static func withSnapshot(
        _ kind: TestFilesystem.Kind = .plain,
        _ body: (TestArchive) throws -> Void
    ) throws {
        try TestArchive.with(TestArchive.Options(kind)) { archive in
            try archive.upstream.sql("create role app login password 'of-production'")
            try archive.upstream.sql(
                "create table customers as select n, 'm' || n as mail from generate_series(1, 9) n"
            )
            try archive.replayEverything()
            _ = try archive.takeSnapshot()
            try body(archive)
        }
    }

    /// What is over goes, what is idle stops, and neither happens to one that is protected or in use.
    @Test func expiryAndIdleness() throws {
        try Self.withSnapshot { archive in
            try archive.pgarchive("clone", "create", "over", "--latest", "--expire", "1s", "--owner", "qa")
            try archive.pgarchive("clone", "create", "kept", "--latest", "--expire", "1h", "--note", "for the audit")
            try archive.pgarchive("clone", "create", "used", "--latest", "--start")
            try archive.pgarchive("clone", "protect", "kept")
            try archive.pgarchive("clone", "alter", "kept", "--expire", "1s")
            for verb in ["delete", "reset"] {
                expectRefusal(try archive.pgarchive.run("clone", verb, "kept"), status: 4, mentions: "protected")
            }
            try eventually(within: 120, "the supervisor removes it") {
                try !archive.pgarchive("clone", "list", "--quiet").lines.contains("over")
            }
            let clones = try archive.pgarchive.json("clone", "list").array
            let kept = try #require(clones.first { $0["name"]?.string == "kept" }?["expiresAt"]?.string)
            try eventually(within: 60, "the time of the protected one is over") {
                try archive.upstream.sql("select clock_timestamp() > '\(kept)'") == "t"
            }
            // What is copied of one whose time is over stays.
            try archive.pgarchive("clone", "duplicate", "kept", "copy")
            let copy = try archive.pgarchive.json("clone", "list").array.first { $0["name"]?.string == "copy" }
            #expect(copy != nil && copy?["expiresAt"] == nil, "\(String(describing: copy))")
            try archive.pgarchive("clone", "expire")
            try archive.pgarchive("clone", "delete", "copy")
            let client = try archive.pgarchive.start("clone", "psql", "used", "-XAtqc", "select pg_sleep(600)")
            try eventually(within: 60, "a client is there") {
                try archive.query("used", "select count(*) from pg_stat_activity where wait_event = 'PgSleep'") == "1"
            }
            try archive.pgarchive("clone", "alter", "used", "--expire", "1s")
            try archive.edit("\(archive.path)/pgarchive.toml", ["idle_stop = \"1 day\"": "idle_stop = \"2 seconds\""])
            try eventually(within: 60, "its time is over") {
                try archive.pgarchive("clone", "expire", "--show").output.contains("its time is over, and it is in use")
            }
            try archive.pgarchive("clone", "alter", "used", "--expire", "never")
            _ = try archive.query(
                "used",
                "select pg_terminate_backend(pid) from pg_stat_activity where wait_event = 'PgSleep'"
            )
            _ = try client.wait()
            try eventually(within: 120, "the supervisor stops it") {
                try archive.pgarchive.run("clone", "status", "used").status == 1
            }
            let rows = try archive.pgarchive.json("clone", "list").array
            #expect(Set(rows.compactMap { $0["name"]?.string }) == ["kept", "used"])
            #expect(rows.first { $0["name"]?.string == "used" }?["lastUsedAt"] != nil)
            // Its time is long over: it does not go with its protection.
            try archive.pgarchive("clone", "unprotect", "kept")
            try archive.pgarchive("clone", "expire")
            try #expect(Set(archive.pgarchive("clone", "list", "--quiet").lines) == ["kept", "used"])
            try archive.pgarchive("clone", "alter", "kept", "--expire", "1s")
            try eventually(within: 120, "it is removed") {
                try archive.pgarchive("clone", "expire")
                return try archive.pgarchive("clone", "list", "--quiet").lines == ["used"]
            }
            try archive.switchAndReceive()
            try archive.finish()
        }
    }

    /// Nobody sees the clone before it is masked, and nothing is left of one whose masking fails.
    @Test func scriptsPasswordsAndSettings() throws {
        try Self.withSnapshot { archive in
            let mask = "\(archive.directory.path)/mask.sql"
            try SpoiltFile.write("update customers set mail = 'masked';\nselect * from no_such;\n", to: mask)
            let failed = try archive.pgarchive.run("clone", "create", "m", "--latest", "--run-sql", mask)
            expectRefusal(failed, status: 1, mentions: "no_such")
            #expect(!FileManager.default.fileExists(atPath: "\(archive.path)/clones/m"))
            #expect(ProcessTable.living(in: "\(archive.path)/clones").isEmpty)
            let wrong = try archive.pgarchive.run("clone", "create", "m", "--latest", "--set", "work_mem=much")
            expectRefusal(wrong, status: 2, mentions: "work_mem")
            let isolated = try archive.pgarchive.run("clone", "create", "m", "--latest", "--set", "archive_mode=on")
            expectRefusal(isolated, status: 2, mentions: "archive_mode")
            #expect(!FileManager.default.fileExists(atPath: "\(archive.path)/clones/m"))

            try SpoiltFile.write("update customers set mail = 'masked';\n", to: mask)
            let made = try archive.pgarchive.json(
                "clone",
                "create",
                "m",
                "--latest",
                "--run-sql",
                mask,
                "--password",
                "--set",
                "work_mem=7MB"
            )
            let passwords = made["passwords"]?.array ?? []
            let app = try #require(passwords.first { $0["role"]?.string == "app" }?["password"]?.string)
            try #expect(archive.query("m", "select distinct mail from customers") == "masked")
            try #expect(archive.query("m", "show work_mem") == "7MB")
            let port = Int(made["clone"]?["port"]?.number ?? 0)
            func login(_ password: String) throws -> CommandResult {
                try TestCommand(
                    "\(archive.upstream.bin)/psql",
                    ["-XAtqc", "select 1", "host=localhost port=\(port) user=app dbname=postgres password=\(password)"]
                ).run()
            }
            try #expect(login(app).status == 0)
            try #expect(login("of-production").status != 0)
            let log = try TestCommand("/bin/grep", ["-r", app, "\(archive.path)/clones/m"]).run()
            #expect(log.status == 1, "no password is written down: \(log)")
            // What was masked stays so, and who may connect.
            let rules = "\(archive.path)/clones/m/pg_hba.conf"
            try archive.edit(rules, ["host all all ::1/128": "host all app ::1/128"])
            _ = try archive.query("m", "update customers set mail = 'seen'")
            try archive.pgarchive("clone", "reset", "m")
            try #expect(archive.query("m", "select distinct mail from customers") == "masked")
            try #expect(login(app).status != 0)
            #expect(try String(contentsOfFile: rules, encoding: .utf8).contains("host all app ::1/128"))
            try archive.switchAndReceive()
            try archive.finish()
        }
    }

    /// The masking that the documentation shows.
    @Test func theDocumentedMasking() throws {
        try Self.withSnapshot { archive in
            let docs = URL(fileURLWithPath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
                .deletingLastPathComponent().appending(path: "docs/clones.md")
            let text = try String(contentsOf: docs, encoding: .utf8)
            let script = try #require(text.components(separatedBy: "```sql\n").dropFirst().first)
            let mask = "\(archive.directory.path)/mask.sql"
            try SpoiltFile.write(script.components(separatedBy: "```")[0], to: mask)
            try archive.upstream.sql("create database shop")
            try archive.upstream.sql(
                """
                create table customers (id int primary key, name text, email text, phone text);
                insert into customers values (1, 'Ada', 'ada@real.org', '1'), (2, 'Ben', 'ben@real.org', '2');
                create table payments as select 7 as id, 'DE1' as iban;
                create table sessions as select 1 as n; create table audit_log as select 1 as n
                """,
                database: "shop"
            )
            try archive.switchAndReceive()
            try archive.pgarchive("clone", "create", "m", "--latest", "--run-sql", mask, "--database", "shop")
            let rows = try archive.pgarchive(
                "clone",
                "psql",
                "m",
                "shop",
                "-XAtqc",
                "select email, phone, iban, (select count(*) from sessions) from customers, payments order by 1"
            )
            #expect(rows.lines == [1, 2].map { "customer\($0)@example.com||DE00000000000000000007|0" }, "\(rows)")
            try archive.finish()
        }
    }

    /// Ended or killed while its script runs, a clone is gone, or goes with the next command.
    @Test(arguments: [SIGINT, SIGTERM, SIGKILL])
    func anUnfinishedCloneIsNobodys(_ signal: Int32) throws {
        try Self.withSnapshot { archive in
            let slow = "\(archive.directory.path)/slow.sql"
            try SpoiltFile.write("select pg_sleep(600);\n", to: slow)
            let making = try archive.pgarchive.start("clone", "create", "half", "--latest", "--run-sql", slow)
            try eventually(within: 120, "the script runs; \(making.error)") {
                ProcessTable.living(in: "\(archive.path)/clones").contains {
                    $0.arguments.joined(separator: " ").contains("SELECT")
                }
            }
            try #expect(archive.pgarchive("clone", "list", "--quiet").lines.isEmpty)
            expectRefusal(try archive.pgarchive.run("clone", "psql", "half"), status: 7, mentions: "still being made")
            making.signal(signal)
            let result = try making.wait(deadline: 90)
            let clone = "\(archive.path)/clones/half"
            if signal == SIGKILL {
                try eventually(within: 60, "the supervisor removes it") {
                    !FileManager.default.fileExists(atPath: clone)
                }
            } else {
                #expect(result.status == 5, "\(result)")
                #expect(!FileManager.default.fileExists(atPath: clone))
            }
            try eventually(within: 60, "nothing runs any more") {
                ProcessTable.living(in: "\(archive.path)/clones").isEmpty
            }
            try archive.switchAndReceive()
            try archive.finish()
        }
    }

    /// What was killed is made by the same line again, whether anybody has removed it meanwhile or not.
    @Test func aKilledMakingIsRepeated() throws {
        try Self.withSnapshot { archive in
            let script = "\(archive.directory.path)/script.sql"
            try SpoiltFile.write("select pg_sleep(600);\n", to: script)
            let making = try archive.pgarchive.start("clone", "create", "again", "--latest", "--run-sql", script)
            try eventually(within: 120, "the script runs; \(making.error)") {
                ProcessTable.living(in: "\(archive.path)/clones").contains {
                    $0.arguments.joined(separator: " ").contains("SELECT")
                }
            }
            try SpoiltFile.write("delete from customers where n > 4;\n", to: script)
            making.signal(SIGKILL)
            _ = try making.wait(deadline: 90)
            try archive.pgarchive("clone", "create", "again", "--latest", "--run-sql", script, deadline: 120)
            try #expect(archive.query("again", "select count(*) from customers") == "4")
            try archive.discard("again")
            try archive.switchAndReceive()
            try archive.finish()
        }
    }

    /// Back to the snapshot, to a branch point, and from there to others.
    @Test(arguments: TestFilesystem.Kind.btrfsOrElsePlain)
    func resetAndBranch(_ kind: TestFilesystem.Kind) throws {
        try Self.withSnapshot(kind) { archive in
            try archive.pgarchive("clone", "create", "work", "--latest", "--start")
            _ = try archive.query("work", "delete from customers where n > 3")
            if kind != .btrfs { try archive.pgarchive("clone", "stop", "work") }
            try archive.pgarchive("clone", "snapshot", "work", "point", "--note", "three rows")
            if kind != .btrfs { try archive.pgarchive("clone", "start", "work") }
            _ = try archive.query("work", "drop table customers")
            try archive.pgarchive("clone", "reset", "work")
            try #expect(archive.query("work", "select count(*) from customers") == "9")
            expectRefusal(try archive.pgarchive.run("clone", "start", "point"), status: 4, mentions: "branch point")
            try archive.discard("work")
            for name in ["one", "two"] { try archive.pgarchive("clone", "create", "point", name, "--start") }
            _ = try archive.query("one", "truncate customers")
            try #expect(archive.query("two", "select count(*) from customers") == "3")
            try archive.pgarchive("clone", "reset", "one")
            try #expect(archive.query("one", "select count(*) from customers") == "3")
            // A snapshot would stand in its place.
            let taken = try archive.pgarchive.run("snapshot", "create", "--name", "point")
            expectRefusal(taken, status: 7, mentions: "branch point 'point'")
            // They need nothing of the archive any more.
            try archive.pgarchive("clone", "delete", "point")
            let refused = try archive.pgarchive.run("clone", "reset", "one")
            expectRefusal(refused, status: 4, mentions: "no longer there")
            try #expect(archive.query("one", "select count(*) from customers") == "3")
            try archive.switchAndReceive()
            try archive.finish()
        }
    }

    /// Killed anywhere, a reset leaves the clone as it was, or as it is to be.
    @Test(arguments: ["clone.beforeReset", "clone.beforeExchange", "clone.exchanged", "clone.beforeLaunch"])
    func aKilledReset(_ place: String) throws {
        try Self.withSnapshot { archive in
            try archive.pgarchive("clone", "create", "work", "--latest", "--start")
            _ = try archive.query("work", "delete from customers; checkpoint")
            let killed = try archive.pgarchive.setting("PGARCHIVE_FAULT", "\(place)=exit").run("clone", "reset", "work")
            #expect(killed.status == 86, "\(killed)")
            if try archive.pgarchive.run("clone", "status", "work").status == 1 {
                try archive.pgarchive("clone", "start", "work")
            }
            let rows = try archive.query("work", "select count(*) from customers")
            #expect(rows == (["clone.beforeReset", "clone.beforeExchange"].contains(place) ? "0" : "9"))
            try archive.discard("work")
            #expect(!FileManager.default.fileExists(atPath: "\(archive.path)/clones/work"))
            try archive.switchAndReceive()
            try archive.finish()
        }
    }

    /// Until all that is to be done in the new data has worked, the clone is as it was, and answers.
    @Test func aResetThatFailsChangesNothing() throws {
        try Self.withSnapshot { archive in
            let script = "\(archive.directory.path)/script.sql"
            try SpoiltFile.write("update customers set mail = 'masked';\n", to: script)
            try archive.pgarchive("clone", "create", "work", "--latest", "--run-sql", script, "--password")
            _ = try archive.query("work", "update customers set mail = 'seen'")
            let rules = "\(archive.path)/clones/work/pg_hba.conf"
            try archive.edit(rules, ["host all all ::1/128": "host all app ::1/128"])
            func requireUnchanged(_ when: String) throws {
                try #expect(archive.query("work", "select distinct mail from customers") == "seen", "\(when)")
                #expect(try String(contentsOfFile: rules, encoding: .utf8).contains("host all app ::1/128"))
                let clones = try FileManager.default.contentsOfDirectory(atPath: "\(archive.path)/clones")
                #expect(clones == ["work"], "\(when)")
            }
            let kept = "\(archive.path)/clones/work/run-1.sql"
            try SpoiltFile.write("select * from no_such;\n", to: kept)
            let failed = try archive.pgarchive.run("clone", "reset", "work", deadline: 120)
            expectRefusal(failed, status: 1, mentions: "clone 'work' was not reset")
            #expect(failed.error.contains("no_such"), "\(failed)")
            try requireUnchanged("failed")
            try SpoiltFile.write("select pg_sleep(600);\n", to: kept)
            for signal in [SIGINT, SIGKILL] {
                let reset = try archive.pgarchive.start("clone", "reset", "work")
                try eventually(within: 120, "the script runs; \(reset.error)") {
                    ProcessTable.living(in: "\(archive.path)/clones").contains {
                        $0.arguments.joined(separator: " ").contains("SELECT")
                    }
                }
                try #expect(archive.query("work", "select distinct mail from customers") == "seen")
                try #expect(archive.pgarchive("clone", "list", "--quiet").lines == ["work"])
                reset.signal(signal)
                let result = try reset.wait(deadline: 90)
                if signal == SIGINT { #expect(result.status == 5, "\(result)") }
                try eventually(within: 60, "what was begun is removed") {
                    try FileManager.default.contentsOfDirectory(atPath: "\(archive.path)/clones") == ["work"]
                }
                try requireUnchanged("after signal \(signal)")
            }
            // Killed beside the exchange it is the one or the other, whole.
            try SpoiltFile.write("update customers set mail = 'masked';\n", to: kept)
            for (place, mail) in [("clone.beforeExchange", "seen"), ("clone.exchanged", "masked")] {
                let killed = try archive.pgarchive.setting("PGARCHIVE_FAULT", "\(place)=exit")
                    .run("clone", "reset", "work", deadline: 120)
                #expect(killed.status == 86, "\(killed)")
                try archive.pgarchive("clone", "start", "work", deadline: 60)
                try #expect(archive.query("work", "select distinct mail from customers") == mail, "\(place)")
            }
            try eventually(within: 60, "the rest is removed") {
                try FileManager.default.contentsOfDirectory(atPath: "\(archive.path)/clones") == ["work"]
            }
            // One that does not run is reset, and does not run.
            try archive.pgarchive("clone", "stop", "work")
            let reset = try archive.pgarchive("clone", "reset", "work", deadline: 120)
            #expect(reset.output.contains("app"), "the new passwords are shown: \(reset)")
            try #expect(archive.pgarchive.run("clone", "status", "work").status == 1)
            #expect(ProcessTable.living(in: "\(archive.path)/clones").isEmpty)
            try archive.pgarchive("clone", "start", "work", deadline: 60)
            try #expect(archive.query("work", "select distinct mail from customers") == "masked")
            try archive.switchAndReceive()
            try archive.finish()
        }
    }

    /// Beyond this host by TLS and a password, or not at all.
    @Test func reachable() throws {
        try Self.withSnapshot { archive in
            let made = try archive.pgarchive.json("clone", "create", "r", "--latest", "--reachable", "--password")
            let app = try #require(
                made["passwords"]?.array.first { $0["role"]?.string == "app" }?["password"]?.string
            )
            try #expect(archive.query("r", "show listen_addresses") == "*")
            let form = try archive.pgarchive.json(
                "clone",
                "connect",
                "r",
                "--network",
                "--role",
                "app"
            )
            let host = try #require(form["host"]?.string)
            let certificate = try #require(form["sslrootcert"]?.string)
            let port = Int(form["port"]?.number ?? 0)
            func login(_ ssl: String) throws -> CommandResult {
                try TestCommand(
                    "\(archive.upstream.bin)/psql",
                    [
                        "-XAtqc", "select ssl from pg_stat_ssl where pid = pg_backend_pid()",
                        "host=\(host) hostaddr=127.0.0.1 port=\(port) user=app dbname=postgres password=\(app) \(ssl)",
                    ]
                ).run()
            }
            let encrypted = try login("sslmode=verify-full sslrootcert=\(certificate)")
            #expect(encrypted.output == "t\n", "\(encrypted)")
            try #expect(login("sslmode=disable").status != 0)
            let rules = "\(archive.path)/clones/r/pg_hba.conf"
            try archive.edit(rules, ["hostssl all all all scram-sha-256": "host all all all trust"])
            for word in ["reload", "restart"] {
                expectRefusal(
                    try archive.pgarchive.run("clone", word, "r"),
                    status: 4,
                    mentions: "host all all all trust"
                )
                try #expect(login("sslmode=disable").status != 0)
            }
            try archive.switchAndReceive()
            try archive.finish()
        }
    }

    /// What a shell and psql make of it.
    @Test func connect() throws {
        try Self.withSnapshot { archive in
            try archive.pgarchive("clone", "create", "c", "--latest", "--start")
            let uri = try archive.pgarchive("clone", "connect", "c", "--output", "uri").lines[0]
            let words = ["-XAtqc", "select count(*) from customers", uri]
            let answer = try TestCommand("\(archive.upstream.bin)/psql", words).run()
            #expect(answer.output == "9\n", "\(answer)")
            let exports = try archive.pgarchive("clone", "connect", "c", "--output", "env").output
            let shell = try TestCommand(
                "/bin/sh",
                ["-c", "\(exports)exec \(archive.upstream.bin)/psql -XAtqc 'show port'"]
            ).run()
            let port = try archive.cloneRecord("c").find("port")?.number ?? 0
            #expect(shell.output == "\(Int(port))\n", "\(shell)")
            try archive.pgarchive("clone", "stop", "c")
            expectRefusal(try archive.pgarchive.run("clone", "connect", "c"), status: 7, mentions: "not running")
            try archive.switchAndReceive()
            try archive.finish()
        }
    }

    /// Ten people who all ask at once.
    @Test(arguments: TestFilesystem.Kind.btrfsOrElsePlain)
    func tenAtOnce(_ kind: TestFilesystem.Kind) throws {
        try Self.withSnapshot(kind) { archive in
            let names = (0..<10).map { "c\($0)" }
            let all = try names.map { try archive.pgarchive.start("clone", "create", $0, "--latest", "--start") }
            for making in all {
                let result = try making.wait(deadline: 300)
                #expect(result.status == 0, "\(result)")
            }
            var ports: Set<String> = []
            for name in names {
                try #expect(archive.query(name, "select count(*) from customers") == "9")
                ports.insert(try archive.query(name, "show port"))
            }
            #expect(ports.count == 10)
            // Ten more of what one of them holds, and copies of that.
            _ = try archive.query("c0", "delete from customers where n > 4")
            try archive.pgarchive("clone", "stop", "--all", deadline: 120)
            try archive.pgarchive.succeed(["clone", "delete"] + names.dropFirst(), deadline: 120)
            try archive.pgarchive("clone", "snapshot", "c0", "point")
            let more = try (0..<10).map { try archive.pgarchive.start("clone", "create", "point", "p\($0)", "--start") }
            let copies = try (0..<8).map { try archive.pgarchive.start("clone", "duplicate", "c0", "d\($0)") }
            for making in more + copies {
                let result = try making.wait(deadline: 300)
                #expect(result.status == 0, "\(result)")
            }
            for number in 0..<10 {
                try #expect(archive.query("p\(number)", "select count(*) from customers") == "4")
            }
            try archive.pgarchive("clone", "stop", "--all", deadline: 120)
            try archive.pgarchive("clone", "delete", "c*", "p*", "d*", deadline: 120)
            try archive.switchAndReceive()
            try archive.finish()
        }
    }
}
