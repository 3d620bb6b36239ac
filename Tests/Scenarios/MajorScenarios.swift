import ArchiveTesting
import Foundation
import Testing

/// A mistake is found, undone and compared on each major version of PostgreSQL, and between two of them.
@Suite(
    "Undoing and comparing on every major version",
    .enabled(if: TestEnvironment.hasPostgres, TestEnvironment.noPostgres),
    .keepsEvidence
)
struct MajorScenarios {
    private static let tables = """
        create table customers (id int primary key, name text not null unique);
        insert into customers select n, 'c' || n from generate_series(1, 100) n;
        create table orders (
          id int primary key, customer int references customers, note text not null default '-',
          total numeric check (total >= 0), made timestamptz, doubled numeric generated always as (total * 2) stored);
        create index orders_note on orders (note);
        insert into orders (id, customer, note, total, made)
          select n, 1 + n % 100, 'o' || n, n / 8.0, '2026-01-01'::timestamptz + n * interval '1 minute'
          from generate_series(1, 3000) n;
        create table lines (id int primary key, orders int references orders on delete cascade, weight float8);
        insert into lines select n, n, n / 7.0 from generate_series(1, 500) n;
        create table parts (id int, at int, primary key (id, at)) partition by range (at);
        create table parts_1 partition of parts for values from (0) to (100);
        create table parts_2 partition of parts for values from (100) to (200);
        insert into parts select n, n % 200 from generate_series(1, 1000) n;
        create function stamp() returns trigger language plpgsql
          as 'begin new.note := new.note || ''!''; return new; end';
        create trigger stamp before insert on orders for each row execute function stamp();
        """

    @Test(arguments: TestMajor.further)
    func undoAndDiff(_ major: TestMajor) throws {
        var options = TestArchive.Options()
        options.upstream.bin = try major.orSkip()
        try TestArchive.with(options) { archive in
            try archive.upstream.sql("create database shop")
            try archive.upstream.sql(Self.tables, database: "shop")
            try archive.replayEverything()
            _ = try archive.takeSnapshot()
            try archive.awaitNames(of: "parts_2")
            let early = try archive.upstream.currentLSN()
            // Versions write views differently: not for the comparison between them.
            try archive.upstream.sql(
                "create view large as select * from orders where total > 100",
                database: "shop"
            )
            let moment = try archive.upstream.currentLSN()

            try undo(
                archive,
                "drop table orders cascade",
                "--drop",
                "orders",
                says: "public.orders: 3000 rows put back"
            )
            try undo(
                archive,
                "delete from lines where id <= 100; delete from customers where id > 1000",
                "--delete",
                "lines",
                says: "public.lines: 100 of 100 rows put back"
            )
            try undo(archive, "truncate parts", "--truncate", "parts", says: "rows put back")
            let same = try archive.pgarchive.run(["diff", "--lsn", moment], deadline: 180)
            #expect(same.status == 0, "\(same)")
            try betweenMajors(archive, early)
            try archive.finish()
        }
    }

    /// Makes a mistake in the upstream, finds it, and puts back what it took.
    private func undo(_ archive: TestArchive, _ mistake: String, _ kind: String, _ table: String, says: String) throws {
        try archive.upstream.sql(mistake, database: "shop")
        try archive.replayedOrDurable()
        let found = try archive.pgarchive("find", kind == "--drop" ? "--dropped" : "\(kind)d", table)
        #expect(found.output.contains("public.\(table)") && found.output.contains(" in shop\n"), "\(found)")
        let undone = try archive.pgarchive.succeed(
            ["undo", kind, table, "--into", "upstream", "--yes"],
            deadline: 180
        )
        #expect(undone.output.contains(says), "\(undone)")
    }

    /// The moment of one major against a live server of another: what differs is found, and undone by the statements.
    private func betweenMajors(_ archive: TestArchive, _ moment: String) throws {
        try TestPostgres.with(in: archive.directory, name: "other") { other in
            try other.sql("create database shop")
            try other.sql(Self.tables, database: "shop")
            let words = ["diff", "--lsn", moment, "--against", other.connection]
            let same = try archive.pgarchive.run(words, deadline: 180)
            #expect(same.status == 0, "\(same)")
            #expect(same.error.contains("versions "), "\(same)")
            try other.sql(
                """
                delete from lines where id between 10 and 14; update orders set total = 1 where id in (7, 2999);
                alter table orders disable trigger stamp; insert into orders (id) values (5000);
                alter table orders enable trigger stamp; create index extra on lines (orders)
                """,
                database: "shop"
            )
            let found = try archive.pgarchive.run(words + ["--output", "json"], deadline: 180)
            #expect(found.status == 10, "\(found)")
            let report = try #require(JSONValue(found.output), "\(found)")
            #expect(DiffScenarios.counts(report, "orders") == [0, 1, 2], "\(found)")
            #expect(DiffScenarios.counts(report, "lines") == [5, 0, 0], "\(found)")
            let script = try archive.pgarchive.run(words + ["--sql", "--reverse"], deadline: 180)
            try other.sql(script.output, database: "shop")
            let after = try archive.pgarchive.run(words, deadline: 180)
            #expect(after.status == 0, "\(after)\n\(script.output.prefix(4000))")
        }
    }
}
