import ArchiveModel
import ArchiveTesting
import Foundation
import Testing
import WALFormat
import WALStore

/// What a survey of real servers' WAL says, against what SQL says.
@Suite(.enabled(if: TestEnvironment.hasPostgres, TestEnvironment.noPostgres))
struct SurveyLiveTests {
    static let servers = [TestEnvironment.postgresBin].compactMap(\.self) + TestEnvironment.furtherPostgresBins

    /// A table's file, and its oid.
    private func relation(_ server: TestPostgres, _ name: String) throws -> (file: UInt32, oid: UInt32) {
        let words = try server.sql("select pg_relation_filenode('\(name)'), '\(name)'::regclass::oid")
            .split(separator: "|").compactMap { UInt32($0) }
        return (try #require(words.first), try #require(words.last))
    }

    private func survey(_ server: TestPostgres, from start: LSN, to last: SegmentName) throws -> [SurveyEvent] {
        let size = try #require(SegmentSize(bytes: 1 << 20))
        let archive = WALDirectory(server.copies, segmentSize: size)
        var state = SurveyState()
        var events: [SurveyEvent] = []
        let range = size.number(of: start)...(try #require(last.number(size: size)))
        try WALSurvey(archive, along: TimelinePath(TimelineID(1)), threads: 2).run(range, from: &state) { segment in
            #expect(segment.outcome.isSound, "\(segment.name): \(segment.outcome)")
            events += segment.events
            return .proceed
        }
        return events.filter { $0.start >= start }
    }

    @Test(arguments: servers)
    func rowsAreCountedAsSQLCountsThem(bin: String) throws {
        try TestDirectory.with { directory in
            var options = TestPostgres.Options()
            options.bin = bin
            try TestPostgres.with(in: directory, options: options) { server in
                try server.sql(
                    "create table t (n int, v int); insert into t select g, 0 from generate_series(1, 5000) g"
                )
                try server.sql("create table u (n int primary key, v int); insert into u select * from t")
                try server.sql(
                    """
                    create table p (n int, v int) partition by list (v);
                    create table p0 partition of p for values in (0); create table p1 partition of p for values in (1);
                    insert into p select g, 0 from generate_series(1, 300) g
                    """
                )
                let start = try #require(LSN(try server.sql("select pg_current_wal_insert_lsn()")))
                // 700, of which 200 in a subtransaction that stays, and 300 in one that does not.
                try server.sql(
                    """
                    begin; delete from t where n <= 500;
                    savepoint a; delete from t where n between 501 and 700; release a;
                    savepoint b; delete from t where n between 701 and 1000; rollback to b; commit
                    """
                )
                try server.sql("begin; delete from t; update u set v = 2; rollback")
                try server.sql("update u set v = 1 where n <= 1234")
                try server.sql("delete from t where n between 701 and 799")
                try server.sql("begin; delete from u where n > 4000; prepare transaction 'later'")
                try server.sql("begin; delete from t where n between 1000 and 1200; prepare transaction 'never'")
                try server.sql("insert into u select g, 1 from generate_series(1, 500) g on conflict (n) do nothing")
                try server.sql("commit prepared 'later'; rollback prepared 'never'")
                try server.sql("update p set v = 1")
                let (t, u, p) = (try relation(server, "t"), try relation(server, "u"), try relation(server, "p0"))
                let last = try #require(SegmentName(try server.switchAndArchive()))
                let left = try server.sql("select count(*) from t; select count(*) from u; select count(*) from p1")
                #expect(left.split(separator: "\n").map(String.init) == ["4201", "4000", "300"])
                let found = try survey(server, from: start, to: last).compactMap { event -> [UInt64]? in
                    switch event.kind {
                    case .massDelete(let relation, let rows): [0, UInt64(relation.number), rows]
                    case .massUpdate(let relation, let rows): [1, UInt64(relation.number), rows]
                    default: nil
                    }
                }
                #expect(
                    found == [
                        [0, UInt64(t.file), 700], [1, UInt64(u.file), 1234], [0, UInt64(u.file), 1000],
                        [1, UInt64(p.file), 300],
                    ]
                )
            }
        }
    }

    @Test(arguments: servers)
    func dropsTruncatesAndRewritesAreToldApart(bin: String) throws {
        try TestDirectory.with { directory in
            var options = TestPostgres.Options()
            options.bin = bin
            try TestPostgres.with(in: directory, options: options) { server in
                for name in ["a", "b", "c", "d", "e", "f", "g"] {
                    try server.sql(
                        """
                        create table \(name) (n int primary key, v text); create index on \(name) (v);
                        insert into \(name) select g, repeat('v', g) from generate_series(1, 200) g
                        """
                    )
                }
                try server.sql("create sequence s; create view seen as select * from g")
                let start = try #require(LSN(try server.sql("select pg_current_wal_insert_lsn()")))
                var before: [String: (file: UInt32, oid: UInt32)] = [:]
                for name in ["a", "b", "c", "d", "e", "f", "g"] { before[name] = try relation(server, name) }
                let steps: [(sql: String, kind: String?, table: String)] = [
                    ("drop table a", "drop", "a"),
                    ("truncate b", "truncate", "b"),
                    ("vacuum full c", "rewrite", "c"),
                    ("alter table d alter n type bigint", "rewrite", "d"),
                    ("begin; drop table e; create table e2 as select 1 as n; commit", "drop", "e"),
                    ("begin; truncate f; rollback", nil, "f"),
                    ("begin; truncate f; insert into f values (1, 'one'); commit", "rewrite", "f"),
                    ("create table brief (n int); drop table brief", "drop", "brief"),
                    ("begin; create table never (n int); drop table never; commit", nil, "never"),
                    ("create temp table t (n int); drop table t", nil, "t"),
                    ("alter sequence s increment 2; drop view seen", nil, "s"),
                    ("begin; drop table g; prepare transaction 'g'", nil, "g"),
                    ("commit prepared 'g'", "drop", "g"),
                ]
                var marks: [LSN] = []
                for step in steps {
                    try server.sql(step.sql)
                    marks.append(try #require(LSN(try server.sql("select pg_current_wal_insert_lsn()"))))
                }
                try server.sql("select pg_create_restore_point('here')")
                let last = try #require(SegmentName(try server.switchAndArchive()))
                let events = try survey(server, from: start, to: last)
                var from = start
                for (step, mark) in zip(steps, marks) {
                    let here = events.filter { $0.start >= from && $0.start < mark }
                    let kinds = here.filter { ["drop", "truncate", "rewrite"].contains($0.kind.name) }
                    #expect(kinds.map(\.kind.name) == [step.kind].compactMap(\.self), "\(step.sql)")
                    if let event = kinds.first, let known = before[step.table] {
                        try check(event, known, step.sql)
                    }
                    from = mark
                }
                #expect(events.last { $0.kind.name == "restore-point" }?.kind == .restorePoint(name: "here"))
            }
        }
    }

    private func check(_ event: SurveyEvent, _ table: (file: UInt32, oid: UInt32), _ sql: String) throws {
        switch event.kind {
        case .drop(let files):
            #expect(files.removed.map(\.number).contains(table.file), "\(sql)")
            #expect(files.dropped.contains(table.oid), "\(sql): \(files)")
        case .truncate(let files), .rewrite(let files):
            #expect(files.removed.map(\.number).contains(table.file), "\(sql)")
            #expect(files.locked.contains(table.oid), "\(sql): \(files)")
            #expect(!files.dropped.contains(table.oid), "\(sql): \(files)")
            #expect(!files.created.isEmpty)
        default: Issue.record("\(event)")
        }
        #expect(event.time != nil)
        #expect(event.transactionID > 0)
        #expect(event.database != nil)
    }
}
