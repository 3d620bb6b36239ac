import ArchiveTesting
import Foundation
import Testing

/// `pgarchive find` and `pgarchive undo`: a mistake is found, and what it took is put back into the running upstream.
@Suite(
    "Undoing a mistake",
    .enabled(if: TestEnvironment.hasPostgres, TestEnvironment.noPostgres),
    .keepsEvidence
)
struct UndoScenarios {
    private static let tables = """
        create schema shop; create role clerk;
        create table shop.customers (id int primary key, name text not null unique);
        insert into shop.customers select n, 'c' || n from generate_series(1, 300) n;
        create table shop.orders (
          id bigserial primary key, customer int references shop.customers, note text,
          total numeric check (total >= 0), doubled numeric generated always as (total * 2) stored);
        create unique index on shop.orders (note);
        insert into shop.orders (customer, note, total) select 1 + n % 300, 'o' || n, n from generate_series(1, 2000) n;
        create table shop.lines (id int primary key, order_id bigint references shop.orders on delete cascade);
        insert into shop.lines select n, n from generate_series(1, 500) n;
        create view shop.large as select * from shop.orders where total > 1900;
        grant select on shop.orders to clerk;
        create function shop.stamp() returns trigger language plpgsql
          as 'begin new.note := new.note || ''!''; return new; end';
        create trigger stamp before insert on shop.orders for each row execute function shop.stamp();
        create table plain (r int, b json);
        insert into plain select n % 5, to_json(n % 10) from generate_series(1, 500) n;
        create table made (a int, b int generated always as (a * 2) stored primary key);
        insert into made select n from generate_series(1, 200) n;
        create unlogged table scratch (a int);
        insert into scratch values (1);
        create table parts (id int, at int, primary key (id, at)) partition by range (at);
        create table parts_1 partition of parts for values from (0) to (100);
        create table parts_2 partition of parts for values from (100) to (200);
        insert into parts select n, n % 200 from generate_series(1, 1000) n;
        """

    private static func withTables(_ body: (TestArchive) throws -> Void) throws {
        try TestArchive.with(TestArchive.Options()) { archive in
            try archive.upstream.sql("create database sales")
            try archive.sales(tables)
            try archive.replayEverything()
            _ = try archive.takeSnapshot()
            try archive.awaitNames(of: "parts_2")
            try body(archive)
        }
    }

    @Test("a dropped table comes back with all that was its own, and with what went by CASCADE")
    func dropped() throws {
        try Self.withTables { archive in
            let before = try archive.rows("shop.orders")
            let described = try archive.describe("shop.orders")
            try archive.sales(
                """
                create table shop.parcels (order_id bigint references shop.orders) partition by range (order_id);
                create table shop.parcels_1 partition of shop.parcels for values from (0) to (10000)
                """
            )
            try archive.sales(
                "drop table shop.orders cascade; insert into shop.lines values (9999, 9999); "
                    + "insert into shop.parcels values (9999)"
            )
            try archive.replayedOrDurable()

            let found = try archive.pgarchive("find", "--dropped", "ORDERS")
            #expect(found.output.contains("dropped shop.orders in sales"), "\(found)")
            try runsAsWritten(found.output, archive)
            let shown = try archive.undo("--drop", "orders")
            #expect(shown.output.contains("table shop.orders, 2000 rows") && shown.error.contains("nothing was done"))
            #expect(try archive.sales("select to_regclass('shop.orders') is null") == "t")
            expectRefusal(
                try archive.pgarchive.run(["undo", "--drop", "orders", "--into", "upstream"], deadline: 120),
                status: 4,
                mentions: "--yes"
            )

            try archive.sales("create role stranger login")
            let stranger = "host=\(archive.upstream.sockets) port=\(archive.upstream.port) user=stranger"
            expectRefusal(
                try archive.pgarchive.run(["undo", "--drop", "orders", "--into", stranger, "--yes"], deadline: 120),
                status: 4,
                mentions: "role 'stranger' may not create tables in schema shop"
            )
            let undone = try archive.undo("--drop", "orders", "--into", "upstream", "--yes")
            #expect(undone.output.contains("shop.orders: 2000 rows put back"), "\(undone)")
            // A line without its order came meanwhile: the foreign key is there for what comes, and that is said.
            #expect(undone.error.contains("lines_order_id_fkey") && undone.error.contains("NOT VALID"), "\(undone)")
            // Before version 18 a partitioned table takes no such key: all else comes back all the same.
            #expect(undone.error.contains("parcels_order_id_fkey"), "\(undone)")
            #expect(try archive.rows("shop.orders") == before)
            #expect(try archive.describe("shop.orders") == described)
            #expect(try archive.sales("select count(*) from shop.large") == "100")
            // Recovery leaves a sequence up to 32 values further.
            #expect(try archive.sales("select nextval('shop.orders_id_seq') between 2001 and 2033") == "t")
            #expect(try archive.sales("select has_table_privilege('clerk', 'shop.orders', 'select')") == "t")

            try besideOneOfTheName(archive, before)
            try script(archive)
            try partitions(archive)
            try archive.finish()
        }
    }

    /// Every command that find shows can be run as it stands.
    private func runsAsWritten(_ output: String, _ archive: TestArchive) throws {
        let commands = output.split(separator: "\n").filter { $0.hasPrefix("    pgarchive ") }
            .map { $0.split(separator: " ").dropFirst().map(String.init) }
        #expect(commands.map { $0[0] } == ["undo", "psql", "clone"], "\(output)")
        for var command in commands {
            if command[0] == "undo" { command.removeLast(2) }
            if command[0] == "psql" { command += ["-XAtqc", "select count(*) from shop.orders"] }
            let result = try archive.pgarchive.succeed(command, deadline: 120)
            if command[0] == "psql" { #expect(result.output == "2000\n", "\(result)") }
            if command[0] == "clone" { try archive.discard(command[2]) }
        }
    }

    /// The name is taken again: it comes beside, under a name of its own, or the one that is wished.
    private func besideOneOfTheName(_ archive: TestArchive, _ before: String) throws {
        let event = try archive.event("--dropped", "shop.orders")
        let beside = try archive.undo("--event", event, "--into", "upstream", "--yes")
        #expect(beside.error.contains("no foreign keys"), "\(beside)")
        let name = try archive.sales("select oid::regclass from pg_class where relname like 'orders_recovered_______'")
        #expect(try archive.rows(name) == before)
        let index = name.replacingOccurrences(of: "shop.", with: "") + "_pkey"
        #expect(try archive.sales("select count(*) from pg_indexes where indexname = '\(index)'") == "1")
        let named = try archive.undo("--drop", "orders", "--as", "rescued", "--into", "upstream", "--yes")
        #expect(named.output.contains("shop.rescued: 2000 rows put back"), "\(named)")
        #expect(try archive.rows("shop.rescued") == before)
        expectRefusal(
            try archive.pgarchive.run(
                ["undo", "--drop", "orders", "--as", "rescued", "--into", "upstream", "--yes"],
                deadline: 120
            ),
            status: 7
        )
        // The look that was written into is no one else's.
        let look = try archive.pgarchive.succeed(
            ["psql", "--before", event, "-XAtqc", "select count(*) from shop.orders"],
            deadline: 120
        )
        #expect(look.output == "2000\n", "\(look)")
    }

    /// The statements in a file do the same, and a file that is there is not written over.
    private func script(_ archive: TestArchive) throws {
        let file = "\(archive.directory.path)/orders.sql"
        let written = try archive.undo("--drop", "orders", "--to-sql", file)
        #expect(written.output.contains("psql -d sales -f \(file)\n"), "\(written)")
        expectRefusal(try archive.pgarchive.run(["undo", "--drop", "orders", "--to-sql", file]), status: 7)
        let text = try String(contentsOfFile: file, encoding: .utf8)
        #expect(text.contains("BEGIN;") && text.contains("COPY shop.orders"), "\(text.prefix(2000))")
        try archive.upstream.sql("create database elsewhere")
        try archive.upstream.sql(
            "create schema shop; create function shop.stamp() returns trigger language plpgsql as 'begin end'",
            database: "elsewhere"
        )
        let result = try archive.upstream.sql(text, database: "elsewhere")
        #expect(result.hasSuffix("shop.orders: 2000 rows put back"), "\(result)")
        let printed = try archive.undo("--drop", "orders", "--to-sql", "-")
        #expect(printed.output.hasPrefix("-- dropped in database sales") && printed.output.hasSuffix("COMMIT;\n"))
    }

    private func partitions(_ archive: TestArchive) throws {
        let before = try archive.rows("parts")
        try archive.sales("drop table parts")
        try archive.replayedOrDurable()
        let undone = try archive.undo("--drop", "parts", "--into", "upstream", "--yes")
        #expect(try archive.rows("parts") == before, "\(undone)")
        try archive.sales("drop table scratch")
        try archive.replayedOrDurable()
        let unlogged = try archive.undo("--drop", "scratch")
        #expect(unlogged.error.contains("public.scratch was unlogged"), "\(unlogged)")
    }

    @Test("rows that a DELETE took come back, with those that went by CASCADE; what was written since stays")
    func deleted() throws {
        try Self.withTables { archive in
            let orders = try archive.rows("shop.orders where id <> 7")
            let lines = try archive.rows("shop.lines")
            try archive.sales(
                """
                begin; savepoint s;
                update shop.customers set name = name || '?' where id < 5; delete from shop.orders where id <= 1000;
                release s; commit
                """
            )
            try archive.sales(
                "alter table shop.orders disable trigger stamp; "
                    + "insert into shop.orders (id, customer, note) values (7, 7, 'mine'); "
                    + "alter table shop.orders enable trigger stamp; "
                    + "delete from shop.orders where id in (1998, 1999)"
            )
            try archive.replayedOrDurable()
            try archive.sales("create role stranger login")
            let stranger = "host=\(archive.upstream.sockets) port=\(archive.upstream.port) user=stranger"
            expectRefusal(
                try archive.pgarchive.run(
                    ["undo", "--delete", "shop.orders", "--into", stranger, "-y"],
                    deadline: 120
                ),
                status: 4,
                mentions: "may not add rows to shop.lines"
            )
            let undone = try archive.undo("--delete", "shop.orders", "--into", "upstream", "--yes")
            #expect(undone.output.contains("shop.orders: 999 of 1000 rows put back"), "\(undone)")
            #expect(undone.output.contains("stay as they are: 1 (with other values: 1)"), "\(undone)")
            // Those that went later, and on purpose, do not come back.
            try archive.sales(
                "alter table shop.orders disable trigger stamp; insert into shop.orders (id, customer, note, total) "
                    + "select n, 1 + n % 300, 'o' || n, n from generate_series(1998, 1999) n; "
                    + "alter table shop.orders enable trigger stamp"
            )
            #expect(try archive.rows("shop.orders where id <> 7") == orders)
            #expect(try archive.rows("shop.lines") == lines)
            #expect(try archive.sales("select note from shop.orders where id = 7") == "mine")
            #expect(try archive.sales("select tgenabled from pg_trigger where tgname = 'stamp'") == "O")

            try withoutKey(archive)
            try byGeneratedKey(archive)
            try updatedToo(archive)
            try ofPartitions(archive)
            try mistyped(archive)
            try archive.finish()
        }
    }

    /// Equal rows are counted.
    private func withoutKey(_ archive: TestArchive) throws {
        let before = try archive.rows("plain")
        try archive.sales("delete from plain where r < 4")
        try archive.sales("insert into plain values (1, '6')")
        try archive.replayedOrDurable()
        let undone = try archive.undo("--delete", "plain", "--into", "upstream", "--yes")
        #expect(undone.output.contains("399 of 400 rows put back"), "\(undone)")
        #expect(try archive.rows("plain") == before)
    }

    /// A key that cannot be written, and rows that are not known by their mark.
    private func byGeneratedKey(_ archive: TestArchive) throws {
        let before = try archive.rows("made")
        try archive.sales("delete from made")
        try archive.replayedOrDurable()
        let undone = try archive.undo("--delete", "made", "--into", "upstream", "--yes")
        #expect(undone.output.contains("public.made: 200 of 200 rows put back"), "\(undone)")
        #expect(try archive.rows("made") == before)
        try archive.sales(
            "begin; select count(*) from (select from made where a <= 10 for update) m; savepoint s; "
                + "delete from made; release s; commit"
        )
        try archive.replayedOrDurable()
        let shown = try archive.undo("--delete", "made")
        #expect(shown.error.contains("deleted 200 rows of public.made, and only 190"), "\(shown)")
    }

    /// Rows that the same transaction updated or locked bear its mark too, and may have been deleted since.
    private func updatedToo(_ archive: TestArchive) throws {
        try archive.sales(
            """
            begin; select 1 from shop.customers where id = 300 for update;
            update shop.customers set name = name || '!' where id between 280 and 290;
            delete from shop.lines; delete from shop.orders; delete from shop.customers where id <= 200; commit
            """
        )
        try archive.sales("delete from shop.customers where id in (285, 300)")
        try archive.replayedOrDurable()
        let undone = try archive.undo("--delete", "customers", "--into", "upstream", "--yes")
        #expect(undone.output.contains("shop.customers: 200 of 200 rows put back"), "\(undone)")
        let rows = try archive.sales("select count(*), count(*) filter (where id in (285, 300)) from shop.customers")
        #expect(rows == "298|0")
    }

    private func ofPartitions(_ archive: TestArchive) throws {
        let before = try archive.rows("parts")
        try archive.sales("delete from parts where at < 180")
        try archive.replayedOrDurable()
        let undone = try archive.undo("--delete", "PARTS", "--into", "upstream", "--yes")
        #expect(try archive.rows("parts") == before, "\(undone)")
    }

    private func mistyped(_ archive: TestArchive) throws {
        expectRefusal(try archive.pgarchive.run("undo", "--delete", "ordres"), status: 6, mentions: "orders")
        expectRefusal(try archive.pgarchive.run("undo", "--event", "F/0"), status: 6)
        expectRefusal(try archive.pgarchive.run("undo", "--delete", "ord*"), status: 2, mentions: "--event")
        expectRefusal(try archive.pgarchive.run("undo"), status: 2)
        let found = try archive.pgarchive("find", "--deleted", "shop.ordres")
        #expect(found.output.contains("did you mean 'shop.orders'?"), "\(found)")
    }

    @Test("a truncated table gets its rows and its sequence back, beside what was written since")
    func truncated() throws {
        try Self.withTables { archive in
            let orders = try archive.rows("shop.orders")
            let lines = try archive.rows("shop.lines")
            try archive.sales("truncate shop.orders restart identity cascade")
            try archive.replayedOrDurable()
            let undone = try archive.undo("--truncate", "orders", "--into", "upstream", "--yes")
            #expect(try archive.rows("shop.orders") == orders, "\(undone)")
            // Recovery leaves a sequence up to 32 values further.
            #expect(try archive.sales("select nextval('shop.orders_id_seq') between 2001 and 2033") == "t")
            let event = try archive.event("--truncated")
            let rest = try archive.undo("--event", event, "--into", "upstream", "--yes")
            #expect(rest.output.contains("shop.lines: 500 of 500 rows put back"), "\(rest)")
            #expect(try archive.rows("shop.lines") == lines)
            // What cannot be put back changes nothing.
            try archive.sales("truncate shop.orders cascade; delete from shop.customers where id = 5")
            try archive.replayedOrDurable()
            let failed = try archive.pgarchive.run(
                ["undo", "--truncate", "orders", "--into", "upstream", "--yes"],
                deadline: 120
            )
            expectRefusal(failed, status: 1, mentions: "nothing was put back")
            #expect(failed.error.contains("orders_customer_fkey"), "\(failed)")
            #expect(try archive.sales("select count(*) from shop.orders") == "0")
            #expect(try archive.sales("select tgenabled from pg_trigger where tgname = 'stamp'") == "O")
            #expect(
                try FileManager.default.contentsOfDirectory(atPath: "\(archive.path)/run").allSatisfy {
                    !$0.hasPrefix("undo-")
                }
            )
            try archive.finish()
        }
    }

    /// Made after the last snapshot and gone before its name was read: found even so, and put back.
    @Test("a table that no catalog knows is found, and comes back; an interruption leaves nothing")
    func fleeting() throws {
        try Self.withTables { archive in
            try archive.upstream.sqlEach(
                "create table fleeting as select generate_series(1, 250) n; drop table fleeting"
            )
            try archive.replayedOrDurable()
            let found = try archive.pgarchive.succeed(["find", "--dropped", "fleeting"], deadline: 120)
            #expect(found.output.contains("dropped public.fleeting in postgres"), "\(found)")
            #expect(found.error.contains("1 event of unnamed tables, in throwaway servers"), "\(found)")
            // A later one of the same name is looked for too, though one is known.
            try archive.upstream.sqlEach(
                "create table fleeting as select generate_series(1, 250) n; drop table fleeting"
            )
            try archive.replayedOrDurable()
            // What is known is shown also where that fails.
            let failing = archive.pgarchive.setting("PGARCHIVE_FAULT", "clone.beforeCopy=error")
            let known = try failing.succeed(["find", "--dropped", "fleeting"], deadline: 120)
            #expect(known.output.components(separatedBy: "dropped public.fleeting").count == 2, "\(known)")
            #expect(known.error.contains("the later ones could not be looked at"), "\(known)")
            let both = try archive.pgarchive.succeed(["find", "--dropped", "fleeting"], deadline: 120)
            #expect(both.output.components(separatedBy: "dropped public.fleeting").count == 3, "\(both)")
            #expect(both.error.contains("none later is known by name"), "\(both)")
            // Somebody is making a table of the name, and the undo waits for them.
            let other = try archive.upstream.startSession("begin; create table fleeting (); select pg_sleep(300)")
            let waiting = "from pg_stat_activity where application_name = 'pgarchive undo'"
            try eventually(within: 60, "the table is being made") {
                try archive.upstream.sql("select count(*) from pg_locks where mode = 'AccessExclusiveLock'") != "0"
            }
            let process = try archive.pgarchive.command(
                ["undo", "--drop", "fleeting", "--into", "upstream", "--yes", "--keep", "0"]
            ).start()
            try eventually(within: 60, "it waits; \(process.error)") {
                try archive.upstream.sql("select count(*) \(waiting) and wait_event_type = 'Lock'") == "1"
            }
            process.signal(SIGTERM)
            #expect(try process.wait(deadline: 60).status == 5)
            try eventually(within: 30, "nothing is left of it") {
                try archive.upstream.sql("select count(*) \(waiting)") == "0"
            }
            other.signal(SIGTERM)
            try archive.upstream.sql(
                "select pg_terminate_backend(pid) from pg_stat_activity where query like '%pg_sleep(300)%' "
                    + "and pid <> pg_backend_pid()"
            )
            let undone = try archive.undo("--drop", "fleeting", "--into", archive.upstream.connection, "--yes")
            #expect(undone.output.contains("public.fleeting: 250 rows put back"), "\(undone)")
            try archive.finish()
        }
    }
}

extension TestArchive {
    @discardableResult
    fileprivate func sales(_ text: String) throws -> String { try upstream.sql(text, database: "sales") }

    fileprivate func rows(_ table: String) throws -> String {
        try sales("select count(*), md5(string_agg(it::text, ',' order by it::text)) from (select * from \(table)) it")
    }

    fileprivate func describe(_ table: String) throws -> String {
        try sales(
            """
            select string_agg(pg_get_indexdef(indexrelid), ';' order by 1) from pg_index
            where indrelid = '\(table)'::regclass;
            select string_agg(conname || pg_get_constraintdef(oid), ';' order by conname)
            from pg_constraint where conrelid = '\(table)'::regclass;
            select string_agg(pg_get_triggerdef(oid), ';') from pg_trigger where tgrelid = '\(table)'::regclass
              and not tgisinternal;
            select string_agg(attname || format_type(atttypid, atttypmod), ';' order by attnum) from pg_attribute
            where attrelid = '\(table)'::regclass and attnum > 0
            """
        )
    }

    @discardableResult
    func undo(_ words: String...) throws -> CommandResult {
        try pgarchive.succeed(["undo"] + words, deadline: 180)
    }

    fileprivate func event(_ words: String...) throws -> String {
        try pgarchive.succeed(["find", "-n", "1", "--quiet"] + words).text
    }
}
