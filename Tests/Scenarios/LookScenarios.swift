import ArchiveTesting
import Foundation
import Testing
import WALFormat

/// `pgarchive psql` and `pgarchive dump`: a moment of the past, asked by a throwaway server.
@Suite(
    "Looking at the past",
    .enabled(if: TestEnvironment.hasPostgres, TestEnvironment.noPostgres),
    .keepsEvidence
)
struct LookScenarios {
    private static let count = ["-X", "-A", "-t", "-c", "select count(*), sum(n) from orders"]

    /// An archive in which a table of the database 'shop' was dropped.
    private static func withDroppedTable(_ body: (TestArchive) throws -> Void) throws {
        try TestArchive.with(TestArchive.Options()) { archive in
            try archive.upstream.sql("create database shop")
            try archive.upstream.sql("create table orders as select generate_series(1, 1000) n", database: "shop")
            try archive.upstream.sql("alter table orders add primary key (n)", database: "shop")
            try archive.replayEverything()
            _ = try archive.takeSnapshot()
            try archive.upstream.sql("insert into orders values (2000)", database: "shop")
            try archive.upstream.sql("drop table orders", database: "shop")
            try archive.switchAndReceive()
            try body(archive)
        }
    }

    /// The drop's lock lies before its commit, and would keep every reader out of a mere standby.
    @Test func aDroppedTableIsThere() throws {
        try Self.withDroppedTable { archive in
            let first = try archive.pgarchive.succeed(
                ["psql", "--before-drop", "shop.orders", "--", "shop"] + Self.count,
                deadline: 120
            )
            #expect(first.output == "1001|502500\n", "\(first)")
            // The same moment in other words: the server is there still.
            let again = try archive.pgarchive.succeed(
                ["psql", "--before-drop", "ORDERS", "--", "shop"] + Self.count,
                deadline: 120
            )
            #expect(again.output == "1001|502500\n", "\(again)")
            #expect(!again.error.contains("copying"), "\(again)")
            let looks = try archive.looks()
            #expect(looks.count == 1)
            // Nobody writes into what is thrown away, and thinks that it was kept.
            let write = try archive.pgarchive.run(
                ["psql", "--before-drop", "orders", "shop", "-c", "delete from orders"],
                deadline: 120
            )
            #expect(write.status != 0 && write.error.contains("read-only transaction"), "\(write)")
            // One that is asked for a short time does not take another's away.
            try archive.pgarchive.succeed(["psql", "--before-drop", "orders", "--keep", "0", "-l"], deadline: 120)
            #expect(try archive.looks() == looks)
            expectRefusal(try archive.pgarchive.run("clone", "duplicate", looks[0], "mine"), status: 4)
            // Who insists can write, and spoils nobody's moment.
            try archive.pgarchive.succeed(
                ["psql", "--before-drop", "orders", "shop", "-c", "begin read write; delete from orders; commit"],
                deadline: 120
            )
            let clean = try archive.pgarchive.succeed(
                ["psql", "--before-drop", "orders", "shop"] + Self.count,
                deadline: 120
            )
            #expect(clean.output == "1001|502500\n", "\(clean)")
            #expect(try archive.looks().count == 2)
            // Stopping the container leaves nothing behind.
            try archive.pgarchive("container", "stop")
            #expect(try archive.looks().isEmpty)
            #expect(ProcessTable.living(in: "\(archive.path)/clones").isEmpty)
        }
    }

    /// A moment without locks stays a standby; the supervisor removes it once its time is over.
    @Test func itsTimeRunsOut() throws {
        try Self.withDroppedTable { archive in
            let words = ["psql", "--latest", "--keep", "0.05", "-X", "-A", "-t", "-c", "select pg_is_in_recovery()"]
            for _ in 1...2 {
                let answer = try archive.pgarchive.succeed(words, deadline: 120)
                #expect(answer.output == "t\n", "\(answer)")
            }
            #expect(try archive.looks().count <= 1)
            try eventually(within: 60, "it is removed") { try archive.looks().isEmpty }
            // The lease goes after what it was for.
            try eventually(within: 30, "its lease is removed") {
                try !FileManager.default.contentsOfDirectory(atPath: "\(archive.path)/run")
                    .contains { $0.hasSuffix(".lease") }
            }
        }
    }

    /// A look that nobody uses is let forward: only the WAL between the two moments is replayed.
    @Test func aLaterMomentGoesOn() throws {
        try Self.withDroppedTable { archive in
            var moments: [String] = []
            for n in 1...3 {
                let sql = "create table if not exists steps (n int); insert into steps values (\(n))"
                try archive.upstream.sql(sql, database: "shop")
                moments.append(try archive.upstream.sql("select pg_current_wal_insert_lsn()"))
            }
            try archive.switchAndReceive()
            func ask(_ moment: String, _ more: String...) throws -> String {
                let answer = try archive.pgarchive.succeed(
                    ["psql", "--lsn", moment, "--exclusive", "shop", "-X", "-A", "-t", "-c"]
                        + ["select count(*), pg_is_in_recovery(), pg_last_wal_replay_lsn() from steps"] + more,
                    deadline: 120
                )
                return answer.output
            }
            #expect(try ask(moments[0]) == "1|t|\(moments[0])\n")
            let first = try archive.looks()
            #expect(try ask(moments[1]) == "2|t|\(moments[1])\n")
            // One that is asked for a short time does not take away what was to stay.
            #expect(try ask(moments[2], "--keep", "0") == "3|t|\(moments[2])\n")
            #expect(try archive.looks() == first)
            // What it has left behind is looked at by another; nobody takes one away that is in use.
            #expect(try ask(moments[0]) == "1|t|\(moments[0])\n")
            #expect(try archive.looks().count == 2)
            let held = try archive.pgarchive.command(
                ["psql", "--lsn", moments[0], "--exclusive", "shop", "-c", "select pg_sleep(300)"]
            ).start()
            try eventually(within: 120, "the query runs; \(held.error)") {
                ProcessTable.living(in: "\(archive.path)/clones").contains {
                    $0.arguments.joined(separator: " ").contains("SELECT")
                }
            }
            #expect(try ask(moments[1]) == "2|t|\(moments[1])\n")
            #expect(try archive.looks().count == 3)
            held.signal(SIGTERM)
            _ = try held.wait(deadline: 60)
        }
    }

    /// Nor is one moved that is used by its name, as any clone may be.
    @Test func aLookUsedByItsNameStays() throws {
        try Self.withDroppedTable { archive in
            let words = ["psql", "--latest", "-X", "-A", "-t", "-c", "select pg_is_in_recovery()"]
            try archive.pgarchive.succeed(words, deadline: 120)
            let first = try archive.looks()
            let name = try #require(first.first)
            let used = try archive.pgarchive.command(["clone", "psql", name, "shop", "-c", "select pg_sleep(300)"])
                .start()
            try eventually(within: 120, "the query runs; \(used.error)") {
                ProcessTable.living(in: "\(archive.path)/clones").contains {
                    $0.arguments.joined(separator: " ").contains("SELECT")
                }
            }
            try archive.upstream.sql("create table later ()")
            try archive.switchAndReceive()
            let answer = try archive.pgarchive.succeed(words, deadline: 120)
            #expect(answer.output == "t\n", "\(answer)")
            #expect(try archive.looks().count == 2)
            used.signal(SIGTERM)
            _ = try used.wait(deadline: 60)
        }
    }

    /// A superuser may promote what he looks at: then it is nobody else's moment, and goes on to none.
    @Test func aPromotedLookIsNobodyElses() throws {
        try Self.withDroppedTable { archive in
            let words = ["psql", "--latest", "-X", "-A", "-t", "-c"]
            try archive.pgarchive.succeed(words + ["select pg_promote()"], deadline: 120)
            let promoted = try archive.looks()
            for _ in 1...2 {
                let answer = try archive.pgarchive.succeed(words + ["select pg_is_in_recovery()"], deadline: 120)
                #expect(answer.output == "t\n", "\(answer)")
                try archive.upstream.sql("create table if not exists later ()")
                try archive.switchAndReceive()
            }
            #expect(Set(try archive.looks()).isSuperset(of: promoted))
        }
    }

    /// Killed on its way to a later moment, a look is of no use to anybody, and goes.
    @Test func aKilledMoveLeavesNothing() throws {
        try Self.withDroppedTable { archive in
            let words = ["psql", "--latest", "-X", "-A", "-t", "-c", "select pg_is_in_recovery()"]
            try archive.pgarchive.succeed(words, deadline: 120)
            let first = try archive.looks()
            try archive.upstream.sql("create table later ()")
            try archive.switchAndReceive()
            let killed = try archive.pgarchive.setting("PGARCHIVE_FAULT", "look.moving=exit").run(words, deadline: 60)
            #expect(killed.status != 0, "\(killed)")
            let answer = try archive.pgarchive.succeed(words, deadline: 120)
            #expect(answer.output == "t\n", "\(answer)")
            #expect(try archive.looks() != first)
        }
    }

    /// One whose server cannot go on is no reason to give up.
    @Test func aLookThatCannotGoOnIsReplaced() throws {
        try Self.withDroppedTable { archive in
            let words = ["psql", "--latest", "-X", "-A", "-t", "-c", "select pg_is_in_recovery()"]
            try archive.pgarchive.succeed(words, deadline: 120)
            let first = try archive.looks()
            let shell = try #require(
                ProcessTable.living(in: "\(archive.path)/clones").first {
                    $0.arguments.joined(separator: " ").contains("startup")
                }
            )
            try archive.upstream.sql("create table later ()")
            try archive.switchAndReceive()
            kill(shell.pid, SIGSTOP)
            let asked = try archive.pgarchive.command(words).start()
            try eventually(within: 60, "it is being let forward; \(asked.error)") { asked.error.contains("going on") }
            for process in ProcessTable.living(in: "\(archive.path)/clones") { kill(process.pid, SIGKILL) }
            let answer = try asked.wait(deadline: 120)
            #expect(answer.status == 0 && answer.output == "t\n", "\(answer)")
            #expect(try archive.looks() != first)
        }
    }

    /// What dump writes can go straight into a server.
    @Test func aDumpIsDataOnly() throws {
        try Self.withDroppedTable { archive in
            let dump = try archive.pgarchive.succeed(
                ["dump", "--before-drop", "orders", "--keep", "0", "-t", "orders", "shop"],
                deadline: 120
            )
            #expect(dump.output.hasPrefix("--\n-- PostgreSQL database dump"), "\(dump)")
            try archive.upstream.sql(dump.output, database: "shop")
            let rows = try archive.upstream.sql("select count(*), sum(n) from orders", database: "shop")
            #expect(rows == "1001|502500")
            #expect(try archive.looks().isEmpty)
            // pg_dump's own troubles are seen, and end it.
            let failed = try archive.pgarchive.run(["dump", "--latest", "-t", "no_such", "shop"], deadline: 120)
            #expect(failed.status == 1 && failed.output.isEmpty, "\(failed)")
        }
    }

    /// Ended by a signal it leaves nothing; killed, the next look removes what it left.
    @Test func nothingIsLeft() throws {
        try Self.withDroppedTable { archive in
            let words = ["psql", "--before-drop", "orders", "--keep", "0", "--", "shop", "-c"]
            for signal in [SIGTERM, SIGHUP, SIGKILL] {
                let process = try archive.pgarchive.command(words + ["select pg_sleep(300)"]).start()
                try eventually(within: 120, "the query runs; \(process.error)") {
                    ProcessTable.living(in: "\(archive.path)/clones").contains {
                        $0.arguments.joined(separator: " ").contains("SELECT")
                    }
                }
                process.signal(signal)
                _ = try process.wait(deadline: 60)
                if signal == SIGKILL {
                    #expect(try archive.looks().count == 1)
                    try archive.pgarchive.succeed(["psql", "--latest", "--keep", "0", "--", "-l"], deadline: 120)
                }
                // Of one that was killed the supervisor does it, within seconds.
                try eventually(within: 60, "it is removed after signal \(signal)") { try archive.looks().isEmpty }
                try eventually(within: 30, "no server is left after signal \(signal)") {
                    ProcessTable.living(in: "\(archive.path)/clones").isEmpty
                }
            }
        }
    }

    /// What cannot be reached is refused before a server is made.
    @Test func whatIsNotThereIsRefused() throws {
        try Self.withDroppedTable { archive in
            for (words, status) in [
                (["psql", "--at", "3 days ago"], Int32(4)), (["psql", "--before-drop", "no_such"], 6),
                (["dump", "--lsn", "F/0"], 4), (["psql", "--at", "1 hour ago", "--latest"], 2),
            ] {
                let result = try archive.pgarchive.run(words, deadline: 60)
                #expect(result.status == status && result.output.isEmpty, "\(result)")
            }
            #expect(try archive.looks().isEmpty)
        }
    }
}

extension TestArchive {
    fileprivate func looks() throws -> [String] {
        try FileManager.default.contentsOfDirectory(atPath: "\(path)/clones").filter { $0.hasPrefix("look-") }
    }
}
