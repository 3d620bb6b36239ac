import ArchiveTesting
import Foundation
import Testing

/// Undoing what is large or odd: more relations than an event lists, names that need quotes, triggers of partitions.
@Suite(
    "Undoing what is large or odd",
    .enabled(if: TestEnvironment.hasPostgres, TestEnvironment.noPostgres),
    .keepsEvidence
)
struct UndoManyScenarios {
    @Test("a schema of more tables than an event lists comes back whole, and is found by any of its tables")
    func many() throws {
        try withSales { archive in
            let union = (1...320).map { "select id from many.t\($0)" }.joined(separator: " union all ")
            let sum = "select count(*), sum(id) from (\(union)) all_of_them"
            for part in 0..<4 {
                try archive.upstream.sql(
                    """
                    create schema if not exists many;
                    do $$ begin for n in \(part * 80 + 1)..\(part * 80 + 80) loop
                      execute format('create table many.t%s (id int primary key, note text)', n);
                      execute format('insert into many.t%s values (%s, %s)', n, n, n);
                    end loop; end $$
                    """,
                    database: "sales"
                )
            }
            let before = try archive.upstream.sql(sum, database: "sales")
            #expect(before == "320|51360")
            try archive.upstream.sql("create table few (id int)", database: "sales")
            try archive.replayEverything()
            try archive.awaitNames(of: "t320")
            try archive.upstream.sql("drop schema many cascade", database: "sales")
            try archive.replayedOrDurable()
            try expectAllFound(archive)
            let one = try archive.undo("--drop", "many.t320", "--into", "upstream", "--yes")
            #expect(one.output.contains("many.t320: 1 row"), "\(one)")
            let there = "select count(*), max(relname) from pg_class where relnamespace = 'many'::regnamespace "
            #expect(try archive.upstream.sql(there + "and relkind = 'r'", database: "sales") == "1|t320")
            try archive.upstream.sql("drop schema many cascade", database: "sales")
            // Once more from the index, when it has noted of which events it has all the names.
            try archive.upstream.sql("drop table few", database: "sales")
            try archive.replayEverything()
            try archive.awaitNotedDrop()
            try expectAllFound(archive)
            let event = try archive.pgarchive.succeed(["find", "-n", "1", "--quiet", "--dropped", "t7"]).text
            try archive.undo("--event", event, "--into", "upstream", "--yes")
            #expect(try archive.upstream.sql(sum, database: "sales") == before)
            try archive.finish()
        }
    }

    /// Files are listed in some order of their own: one of these is behind the end of the list.
    private func expectAllFound(_ archive: TestArchive) throws {
        for table in ["many.t1", "many.t160", "many.t320"] {
            let found = try archive.pgarchive("find", "--dropped", table)
            #expect(found.output.contains("and 317 more in sales"), "\(found)")
        }
    }

    @Test("names with blanks, comments of foreign keys, triggers of partitions, children of tables")
    func odd() throws {
        try withSales { archive in
            try archive.upstream.sql(
                """
                create role "the clerk";
                create schema "my shop" authorization "the clerk";
                create table "my shop"."The Orders" (id int primary key);
                insert into "my shop"."The Orders" select generate_series(1, 150);
                create table "my shop"."the lines" (id int, "order" int,
                  constraint "the key" foreign key ("order") references "my shop"."The Orders");
                comment on constraint "the key" on "my shop"."the lines" is 'as it''s said';
                alter table "my shop"."The Orders" owner to "the clerk";
                alter table "my shop"."the lines" owner to "the clerk";
                create table rising (id int, at int) partition by range (at);
                create table rising_1 partition of rising for values from (0) to (1000);
                insert into rising select n, n from generate_series(1, 200) n;
                create function refuse() returns trigger language plpgsql as 'begin raise exception ''no''; end';
                create trigger refuse before insert on rising_1 for each row execute function refuse();
                create table parent (a int); create table child () inherits (parent);
                insert into parent select generate_series(1, 120); insert into child values (5), (6);
                """,
                database: "sales"
            )
            try archive.replayEverything()
            try archive.awaitNames(of: "the lines")
            for text in [
                "drop table \"my shop\".\"The Orders\", \"my shop\".\"the lines\"", "delete from rising",
                "delete from only parent",
            ] { try archive.upstream.sql(text, database: "sales") }
            try archive.replayedOrDurable()

            let found = try archive.pgarchive("find", "--dropped", "\"my shop\".\"The Orders\"")
            #expect(found.output.contains("my shop.The Orders"), "\(found)")
            let event = try archive.pgarchive.succeed(["find", "-n", "1", "--quiet", "--dropped", "The Orders"]).text
            try archive.undo("--event", event, "--into", "upstream", "--yes")
            let comment = try archive.upstream.sql(
                "select obj_description(oid, 'pg_constraint') from pg_constraint where conname = 'the key'",
                database: "sales"
            )
            #expect(comment == "as it's said")
            try fitted(archive, event)

            let rows = try archive.undo("--delete", "rising", "--into", "upstream", "--yes")
            #expect(rows.output.contains("public.rising: 200 of 200 rows put back"), "\(rows)")
            let state = try archive.upstream.sql(
                "select tgenabled from pg_trigger where tgname = 'refuse'",
                database: "sales"
            )
            #expect(state == "O")
            let parent = try archive.undo("--delete", "parent", "--into", "upstream", "--yes")
            #expect(parent.output.contains("public.parent: 120 of 120 rows put back"), "\(parent)")
            try again(archive)
            try archive.finish()
        }
    }

    /// What is written with a server in view has other names than that has, and nothing is done there.
    private func fitted(_ archive: TestArchive, _ event: String) throws {
        let text = try archive.undo("--event", event, "--to-sql", "-", "--into", "upstream").output
        #expect(text.contains("The Orders_recovered_"), "\(text)")
        let tables = "select count(*) from pg_class where relname like '%recovered%' and relkind = 'r'"
        #expect(try archive.upstream.sql(tables, database: "sales") == "0")
        try archive.upstream.sql(text, database: "sales")
        #expect(try archive.upstream.sql(tables, database: "sales") == "2")
        // An empty file that was there is written to, and stays where that fails.
        let file = "\(archive.directory.path)/empty.sql"
        try Data().write(to: URL(fileURLWithPath: file))
        let failed = try archive.pgarchive.run(["undo", "--event", event, "--to-sql", file, "--into", "host=/nowhere"])
        #expect(failed.status == 8, "\(failed)")
        #expect(FileManager.default.fileExists(atPath: file))
    }

    /// Of deletes in several steps the last is undone, and the others are told.
    private func again(_ archive: TestArchive) throws {
        for text in [
            "delete from only parent where a <= 100", "insert into parent select generate_series(1, 100)",
            "delete from only parent where a <= 110",
        ] { try archive.upstream.sql(text, database: "sales") }
        try archive.replayedOrDurable()
        let shown = try archive.undo("--delete", "parent")
        #expect(shown.error.contains("2 earlier deletes from it are known"), "\(shown)")
    }

    private func withSales(_ body: (TestArchive) throws -> Void) throws {
        try TestArchive.with(TestArchive.Options()) { archive in
            try archive.upstream.sql("create database sales")
            try archive.replayEverything()
            _ = try archive.takeSnapshot()
            try body(archive)
        }
    }
}
