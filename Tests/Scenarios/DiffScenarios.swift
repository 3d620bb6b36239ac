import ArchiveTesting
import Foundation
import Testing

/// `pgarchive diff`: two moments, or a moment and the live upstream.
@Suite(
    "Comparing two moments",
    .enabled(if: TestEnvironment.hasPostgres, TestEnvironment.noPostgres),
    .keepsEvidence
)
struct DiffScenarios {
    private static let shop = """
        create table customers (id int primary key, name text not null);
        insert into customers select g, 'customer ' || g from generate_series(1, 1000) g;
        create table orders (id bigint generated always as identity primary key, customer int references customers,
            total numeric(10, 2), note text, doubled numeric generated always as (total * 2) stored);
        insert into orders (customer, total, note) select g % 1000 + 1, g * 1.25, E'line\\none''s \\\\ ' || g
            from generate_series(1, 60000) g;
        create table lines (orders bigint, line int, made timestamptz, price float8, blob bytea,
            primary key (orders, line));
        insert into lines select g / 3, g % 3, '2026-01-01'::timestamptz + g * interval '1 second', g / 7.0,
            decode(md5(g::text), 'hex') from generate_series(1, 30000) g;
        create table words (word text collate "en-x-icu" primary key, hits int);
        insert into words select md5(g::text), g from generate_series(1, 20000) g;
        create table log (at int, what json);
        insert into log select g % 100, '{"a": 1}' from generate_series(1, 20000) g;
        create table parts (id int, region text, primary key (id, region)) partition by list (region);
        create table parts_north partition of parts for values in ('north');
        create table parts_rest partition of parts default;
        insert into parts select g, case g % 2 when 0 then 'north' else 'south' end from generate_series(1, 5000) g;
        create view recent as select * from orders where id > 100;
        create sequence numbers;
        create unlogged table scratch (id int);
        insert into scratch values (1);
        """

    private static let mistakes = """
        delete from orders where id between 30000 and 30009;
        update orders set total = 0, note = null where id in (5, 59999);
        insert into orders (customer, total) values (7, 77);
        delete from lines where orders = 5000;
        update words set hits = -1 where word = (select max(word) from words);
        delete from log where ctid in (select ctid from log where at = 7 limit 3);
        insert into log values (1000, '[2]'), (1000, '[2]');
        update parts set region = 'west' where id = 11;
        insert into customers values (2000, 'new');
        """

    private static func withShop(_ body: (TestArchive) throws -> Void) throws {
        try TestArchive.with(TestArchive.Options()) { archive in
            try archive.upstream.sql("create database shop")
            try archive.upstream.sql(shop, database: "shop")
            try archive.replayEverything()
            _ = try archive.takeSnapshot()
            try body(archive)
        }
    }

    static func counts(_ report: JSONValue, _ table: String) -> [Int] {
        let tables = report["databases"]?.array.first { $0["name"]?.string == "shop" }?["tables"]?.array ?? []
        let counts = tables.first { $0["name"]?.string == "public.\(table)" }?["counts"]
        return ["onlyLeft", "onlyRight", "changed"].compactMap { counts?[$0]?.number.map { Int($0) } }
    }

    /// Each row that was changed is found, in tables with every kind of key and without one.
    @Test func mistakesAreFoundAndUndone() throws {
        try Self.withShop { archive in
            let position = try archive.upstream.currentLSN()
            try archive.switchAndReceive()
            let same = try archive.pgarchive.succeed(["diff", "--lsn", "\(position)"], deadline: 180)
            #expect(same.output.hasPrefix("the same: 6 tables, 136000 rows\n"), "\(same)")
            #expect(same.output.contains("1 unlogged table not compared"), "\(same)")
            // Who may read nothing is not told that all is the same.
            try archive.upstream.sql("create role stranger login")
            let stranger = "host=\(archive.upstream.sockets) port=\(archive.upstream.port) user=stranger"
            let unread = try archive.pgarchive.run(
                ["diff", "--lsn", "\(position)", "--table", "shop.orders", "--against", stranger],
                deadline: 180
            )
            #expect(unread.status == 10, "\(unread)")
            #expect(unread.output == "no difference found: 0 tables, 0 rows; 1 table not compared\n", "\(unread)")
            #expect(unread.error.contains("role stranger may not read it"), "\(unread)")

            try archive.upstream.sql(Self.mistakes, database: "shop")
            let words = ["diff", "--lsn", "\(position)"]
            let found = try archive.pgarchive.run(words + ["--output", "json"], deadline: 180)
            #expect(found.status == 10, "\(found)")
            let report = try #require(JSONValue(found.output), "\(found)")
            #expect(Self.counts(report, "orders") == [10, 1, 2], "\(found)")
            #expect(Self.counts(report, "lines") == [3, 0, 0], "\(found)")
            #expect(Self.counts(report, "words") == [0, 0, 1], "\(found)")
            #expect(Self.counts(report, "log") == [3, 2, 0], "\(found)")
            #expect(Self.counts(report, "parts") == [1, 1, 0], "\(found)")
            #expect(Self.counts(report, "customers") == [0, 1, 0], "\(found)")

            // What differs, as SQL: the upstream is as it was then.
            let script = try archive.pgarchive.run(words + ["--sql", "--reverse"], deadline: 180)
            #expect(script.status == 10, "\(script)")
            try archive.upstream.sql(script.output, database: "shop")
            let after = try archive.pgarchive.run(words, deadline: 180)
            #expect(after.status == 0, "\(after)\n\(script.output.prefix(4000))")
        }
    }

    /// What is defined differently is found, and the statements make it alike.
    @Test func definitionsAreComparedToo() throws {
        try Self.withShop { archive in
            let position = try archive.upstream.currentLSN()
            try archive.upstream.sql(
                """
                create index orders_note on orders (note);
                alter table customers add column mail text not null default 'none';
                alter table lines alter column line type bigint;
                drop view recent;
                drop table parts;
                create table fresh (id int primary key, what text);
                insert into fresh values (1, 'a'), (2, 'b');
                create function twice(n int) returns int language sql as 'select n * 2';
                grant select on log to public;
                select setval('numbers', 5000);
                """,
                database: "shop"
            )
            try archive.switchAndReceive()
            let words = ["diff", "--lsn", "\(position)"]
            let found = try archive.pgarchive.run(words + ["--rows", "2"], deadline: 180)
            #expect(found.status == 10, "\(found)")
            let text = found.output.split(separator: " ", omittingEmptySubsequences: true).joined(separator: " ")
            for line in [
                "shop public.fresh - 2 0 2 0", "shop public.parts 5000 - 5000 0 0",
                "column public.customers.mail only right", "column public.lines.line changed",
                "index public.orders_note only right", "view public.recent only left",
                "function public.twice(n integer) only right", "grant public.log to PUBLIC only right",
                "position public.numbers unused left, 5000 right", "only right: id=1 what=a",
            ] {
                #expect(text.contains(line), "'\(line)' in \(found)")
            }
            let script = try archive.pgarchive.run(words + ["--sql", "--reverse"], deadline: 180)
            try archive.upstream.sql(script.output, database: "shop")
            let after = try archive.pgarchive.run(words, deadline: 180)
            #expect(after.status == 0, "\(after)\n\(script.output.prefix(4000))")
        }
    }

    /// Two moments; a clone and a moment; names that are wrong.
    @Test func sidesAreChosen() throws {
        try Self.withShop { archive in
            let first = try archive.upstream.currentLSN()
            try archive.upstream.sql(
                "delete from customers where id > 900 and id not in (select customer from orders)",
                database: "shop"
            )
            try archive.upstream.sql("delete from log where at = 7", database: "shop")
            try archive.switchAndReceive()
            try archive.pgarchive("clone", "create", "early", "--lsn", "\(first)", "--start", deadline: 180)
            let moments = try archive.pgarchive.run(
                ["diff", "early", "--latest", "--table", "Shop.LOG"],
                deadline: 180
            )
            #expect(
                moments.status == 10 && moments.output.contains("shop      public.log  20000  19800        200"),
                "\(moments)"
            )
            let two = try archive.pgarchive.run(
                ["diff", "--at", "now", "--at", "now", "--table", "log"],
                deadline: 180
            )
            #expect(two.status == 0 || two.status == 4, "\(two)")
            let same = try archive.pgarchive.run(["diff", "early", "--against", "early"], deadline: 180)
            #expect(same.status == 0, "\(same)")
            for (words, status) in [
                (["diff"], Int32(2)), (["diff", "early", "--table", "lgo"], 6), (["diff", "no_such"], 6),
                (["diff", "early", "--database", "no_such"], 6), (["diff", "early", "--against", "host=/none"], 8),
                (["diff", "early", "--reverse"], 2),
            ] {
                let result = try archive.pgarchive.run(words, deadline: 60)
                #expect(result.status == status && result.output.isEmpty, "\(result)")
            }
        }
    }

    /// Interrupted while it waits for a table, it ends at once, and leaves no session and no server.
    @Test(arguments: [SIGINT, SIGTERM])
    func interrupted(_ signal: Int32) throws {
        try Self.withShop { archive in
            let position = try archive.upstream.currentLSN()
            try archive.switchAndReceive()
            let other = try archive.upstream.startSession("\\c shop\nbegin; lock table words; select pg_sleep(300)")
            let waiting = "from pg_stat_activity where application_name = 'pgarchive diff'"
            try eventually(within: 60, "the table is locked") {
                try archive.upstream.sql("select count(*) from pg_locks where mode = 'AccessExclusiveLock'") != "0"
            }
            let process = try archive.pgarchive.command(["diff", "--lsn", position, "--keep", "0"]).start()
            try eventually(within: 90, "it waits; \(process.error)") {
                try archive.upstream.sql("select count(*) \(waiting) and wait_event_type = 'Lock'") == "1"
            }
            process.signal(signal)
            let result = try process.wait(deadline: 60)
            #expect(result.status == 5 && result.output.isEmpty, "\(result)")
            try eventually(within: 30, "nothing is left of it") {
                try archive.upstream.sql("select count(*) \(waiting)") == "0"
                    && ProcessTable.living(in: "\(archive.path)/clones").isEmpty
            }
            #expect(try FileManager.default.contentsOfDirectory(atPath: "\(archive.path)/clones").isEmpty)
            other.signal(SIGTERM)
            try archive.upstream.sql(
                "select pg_terminate_backend(pid) from pg_stat_activity where query like '%pg_sleep(300)%' "
                    + "and pid <> pg_backend_pid()"
            )
            _ = try other.wait()
            try archive.finish()
        }
    }
}
