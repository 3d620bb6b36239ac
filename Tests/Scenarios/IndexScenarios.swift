import ArchiveEngine
import ArchiveTesting
import Foundation
import Testing

/// What happened is listed with the names that tables had, and what can be recovered is said.
@Suite(
    "Events and the window",
    .enabled(if: TestEnvironment.hasPostgres, TestEnvironment.noPostgres),
    .keepsEvidence
)
struct IndexScenarios {
    @Test("every kind of event is found, with its table; what was rolled back is not")
    func eventsOfEveryKind() throws {
        try TestArchive.with(TestArchive.Options()) { archive in
            let upstream = archive.upstream
            try upstream.sql(
                """
                create schema shop;
                create table shop.orders (id int primary key, note text);
                insert into shop.orders select n, 'order' from generate_series(1, 500) n;
                create table public.lines (id int references shop.orders, line text);
                create table emptied (id int); insert into emptied select generate_series(1, 300);
                create table written (id int); insert into written select generate_series(1, 300);
                create table altered (id int); insert into altered values (1);
                create table kept (id int); insert into kept select generate_series(1, 300);
                create database sales; create database gone;
                """
            )
            try archive.replayEverything()
            try archive.awaitNames(of: "lines")
            for statement in [
                "delete from shop.orders where id > 100", "update shop.orders set note = 'x' where id <= 100",
                "truncate emptied", "vacuum full written", "alter table altered alter id type bigint",
                "select pg_create_restore_point('before the release')", "drop table lines", "drop database gone",
                "begin; drop table kept; rollback", "begin; delete from kept; rollback",
                "begin; truncate kept; rollback",
            ] {
                try upstream.sqlEach(statement)
            }
            try upstream.sql("checkpoint")

            // Also what lies in a segment that is not complete yet.
            try archive.replayedOrDurable()
            let live = try archive.events()
            #expect(Self.said(live) == Self.expected)
            try archive.replayEverything()
            let events = try archive.events()
            #expect(Self.said(events) == Self.expected)
            let deleted = try #require(events.first { $0["kind"]?.string == "mass-delete" })
            #expect(deleted["rows"]?.number == 400)
            try #expect(archive.events("--kind", "checkpoint").isEmpty == false)

            try filters(archive, of: events.count)
            try targets(archive)
            try namelessTable(archive)
            try rebuildEqualsIncremental(archive)
            try mistyped(archive)
            try archive.finish()
        }
    }

    /// The kinds and tables, without what a server does by itself.
    private static func said(_ events: [JSONValue]) -> [String] {
        events.compactMap { event in
            guard let kind = event["kind"]?.string, let what = event["what"]?.string else { return nil }
            if ["parameter-change", "full-page-writes-change", "timeline-switch"].contains(kind) { return nil }
            if kind == "database-create" { return nil }
            return "\(kind) \(what)"
        }
    }

    private static let expected = [
        "mass-delete shop.orders", "mass-update shop.orders", "truncate public.emptied", "rewrite public.written",
        "rewrite public.altered", "restore-point before the release", "drop public.lines", "database-drop gone",
    ]

    private func filters(_ archive: TestArchive, of count: Int) throws {
        // Found by a table's name as people write it, by kind, and by time.
        for name in ["orders", "SHOP.Orders", "postgres.shop.orders", "ord*"] {
            try #expect(archive.events("--table", name).count == 2, "\(name)")
        }
        try #expect(
            Self.said(archive.events("--kind", "drop,truncates")) == [
                "truncate public.emptied", "drop public.lines",
            ]
        )
        try #expect(archive.events("--until", "1 hour ago").isEmpty)
        try #expect(archive.events("--since", "1 hour ago").count >= count)
        expectRefusal(
            try archive.pgarchive.run("wal_archive", "events", "--kind", "dorp"),
            status: 2,
            mentions: "drop"
        )
        let text = try archive.pgarchive("wal_archive", "events", "-n", "2")
        #expect(text.output.split(separator: "\n").count == 3 && text.error.contains("earlier events not shown"))
        let plain = try archive.pgarchive("wal", "events")
        #expect(plain.output.contains("before the release") && plain.output.contains("shop.orders"), "\(plain)")
    }

    private func targets(_ archive: TestArchive) throws {
        let upstream = archive.upstream
        // An event's id is a target.
        _ = try archive.takeSnapshot()
        try upstream.sql("drop table written")
        try archive.replayEverything()
        let drop = try #require(try archive.events("--table", "written", "--kind", "drop").first?["id"]?.string)
        try archive.pgarchive("clone", "create", "before", "--before", drop, "--start", deadline: 120)
        try #expect(archive.query("before", "select count(*) from written") == "300")
        try archive.discard("before")
        // And so is a table's name.
        try archive.pgarchive("clone", "create", "named", "--before-drop", "WRITTEN", "--start", deadline: 120)
        try #expect(archive.query("named", "select count(*) from written") == "300")
        try archive.discard("named")
        let unknown = try archive.pgarchive.run("clone", "create", "none", "--before-drop", "writen")
        expectRefusal(unknown, status: 6, mentions: "did you mean 'written'?")
        // A shell completes them.
        try #expect(archive.completed(after: "clone create x --before").contains(drop))
        try #expect(archive.completed(after: "psql --before-drop").contains("public.written"))
        try #expect(archive.completed(after: "restore --restore-point").contains("before the release"))
        try #expect(archive.completed(after: "dump --timeline").contains("latest"))
    }

    /// Created and dropped between two readings of the catalogs.
    private func namelessTable(_ archive: TestArchive) throws {
        try archive.upstream.sqlEach(
            "create table shop.fleeting as select generate_series(1, 10); drop table shop.fleeting"
        )
        try archive.replayEverything()
        let unknown = try archive.pgarchive("wal_archive", "events", "--kind", "drop")
        #expect(unknown.output.contains("of database postgres)") && unknown.error.contains("--resolve-names"))
        // Who asks for a table is told that the answer may not be all of it.
        let asked = try archive.pgarchive("wal_archive", "events", "--table", "fleeting", "--quiet")
        #expect(asked.error.contains("may be of 'fleeting': --resolve-names"), "\(asked)")
        let resolved = try archive.pgarchive(
            "wal_archive",
            "events",
            "--table",
            "fleeting",
            "--resolve-names",
            deadline: 120
        )
        #expect(resolved.output.contains("shop.fleeting") && !resolved.error.contains("may be of"), "\(resolved)")
        let found = try archive.pgarchive("wal_archive", "events", "--kind", "drop", "--resolve-names", deadline: 120)
        #expect(found.output.contains("shop.fleeting"), "\(found)")
        #expect(!found.output.contains("(file"), "\(found)")
        try #expect(archive.pgarchive("clone", "list").output.contains("look-") == false)
        // Remembered.
        try #expect(archive.events("--table", "fleeting").count == 1)

        // Whoever asks for a table gets its last drop, though its name was not known before.
        try archive.upstream.sqlEach(
            "create table shop.fleeting as select generate_series(1, 20); drop table shop.fleeting"
        )
        try archive.replayEverything()
        try archive.pgarchive("clone", "create", "fled", "--before-drop", "fleeting", "--start", deadline: 120)
        try #expect(archive.query("fled", "select count(*) from shop.fleeting") == "20")
        try archive.discard("fled")

        // A later drop that a look cannot name may be the table's: no earlier one is taken for it.
        try archive.upstream.sql("create database closed")
        try archive.upstream.sql(
            """
            update pg_database set datallowconn = false where datname = current_database();
            create table fleeting (); drop table fleeting;
            """,
            database: "closed"
        )
        try archive.replayEverything()
        let refused = try archive.pgarchive.run("clone", "create", "none", "--before-drop", "fleeting", deadline: 120)
        expectRefusal(refused, status: 4, mentions: "is not known, and may be 'fleeting'")
        try archive.upstream.sql("drop database closed")
    }

    /// What is nowhere is refused by the index as by reading everything.
    private func mistyped(_ archive: TestArchive) throws {
        let mistyped = [["--xid", "999999"], ["--xid", "735"], ["--restore-point", "before the relase"]]
        let indexed = try mistyped.map { try archive.pgarchive.run(["clone", "create", "none"] + $0) }
        for suffix in ["", "-wal", "-shm"] {
            try? FileManager.default.removeItem(atPath: "\(archive.path)/index.sqlite\(suffix)")
        }
        for (arguments, answer) in zip(mistyped, indexed) {
            let read = try archive.pgarchive.run(["clone", "create", "none"] + arguments)
            #expect(answer.status != 0 && answer.error == read.error, "\(answer.error)\(read.error)")
        }
    }

    private func rebuildEqualsIncremental(_ archive: TestArchive) throws {
        let rows = try archive.indexRows()
        #expect(rows.count > 3)
        try archive.pgarchive("wal_archive", "index", "--rebuild")
        try #expect(archive.indexRows().starts(with: rows))

        // A transaction that is open across a hole: what it did before is not forgotten when the hole is filled.
        try archive.upstream.sql(
            """
            begin; delete from kept; select pg_switch_wal(); insert into emptied values (1); select pg_switch_wal();
            insert into emptied values (1); select pg_switch_wal(); commit
            """
        )
        try archive.replayEverything()
        let before = try archive.events("--table", "kept").compactMap {
            $0["id"]?.string.flatMap(TransactionLog.position)
        }
        let hole = SegmentFile.name(of: try #require(before.last) - (1 << 20))
        let file = try #require(
            ["", ".zst"].map { "\(archive.walArchive)/\(hole)\($0)" }
                .first { FileManager.default.fileExists(atPath: $0) }
        )
        let taken = "\(archive.path)/taken"
        try FileManager.default.moveItem(atPath: file, toPath: taken)
        try archive.pgarchive("wal_archive", "index")
        try FileManager.default.moveItem(atPath: taken, toPath: file)
        try archive.pgarchive("wal_archive", "index")
        let incremental = try archive.indexRows()
        #expect(incremental.contains { $0.contains("massDelete") && $0.contains("300") })
        try archive.pgarchive("wal_archive", "index", "--rebuild")
        try #expect(archive.indexRows().starts(with: incremental))
    }

    @Test("the supervisor is killed in the middle of indexing, the index deleted and damaged: it is there again")
    func indexIsDerived() throws {
        try TestArchive.with(TestArchive.Options()) { archive in
            try archive.upstream.sql("create table t (id int); insert into t select generate_series(1, 1000)")
            // The command itself dies between two batches, and the supervisor at any moment.
            let doomed = archive.pgarchive.setting("PGARCHIVE_FAULT", "index.afterBatch=exit")
            try #expect(doomed.run("wal_archive", "index", "--rebuild").status == 86)
            for _ in 0..<3 {
                for _ in 0..<3 {
                    try archive.upstream.sql("insert into t select generate_series(1, 20000)")
                    try archive.switchWith("select 0")
                }
                for supervisor in archive.supervisors { kill(supervisor.pid, SIGKILL) }
            }
            try archive.pgarchive("container", "start")
            try archive.upstream.sql("drop table t")
            try archive.replayEverything()
            try #expect(archive.events("--kind", "drop").count == 1)
            try archive.awaitIndex()
            let rows = try archive.indexRows()

            // Deleted while everything runs.
            for suffix in ["", "-wal", "-shm"] {
                try? FileManager.default.removeItem(atPath: "\(archive.path)/index.sqlite\(suffix)")
            }
            try archive.switchWith("select 1")
            try archive.awaitIndex()
            try #expect(archive.indexRows().starts(with: rows))

            // Another program's file in its place.
            try Data("this is no database, and long enough to be taken for the header of one".utf8)
                .write(to: URL(fileURLWithPath: "\(archive.path)/index.sqlite"))
            try archive.switchWith("select 2")
            try archive.awaitIndex()
            try #expect(archive.indexRows().starts(with: rows))
            #expect(FileManager.default.fileExists(atPath: "\(archive.path)/index.sqlite.damaged"))
            let log = try String(contentsOfFile: "\(archive.path)/log/supervisor.log", encoding: .utf8)
            #expect(log.components(separatedBy: "is built anew").count == 2)

            // Where it cannot be written at all, the WAL is read.
            try archive.pgarchive("container", "stop")
            try? FileManager.default.removeItem(atPath: "\(archive.path)/index.sqlite")
            try FileManager.default.createDirectory(
                atPath: "\(archive.path)/index.sqlite",
                withIntermediateDirectories: true
            )
            let read = try archive.pgarchive("wal_archive", "events", "--kind", "drop")
            #expect(read.error.contains("the WAL archive is read") && read.output.contains("drop"), "\(read)")
            try archive.pgarchive("container", "start")
            try archive.switchWith("select 3")
            try eventually(within: 60, "status says why it is not indexed") {
                try archive.station("indexed")?["reason"]?.string?.contains("index.sqlite") ?? false
            }
            try #expect(archive.pgarchive.run("container", "status").status == 0)
            try FileManager.default.removeItem(atPath: "\(archive.path)/index.sqlite")
            try archive.awaitIndex()
            try #expect(archive.indexRows().starts(with: rows))
            try archive.finish()
        }
    }

    /// What verify --deep finds is a gap at once, and nothing is begun that would fail for it.
    private func damage(_ archive: TestArchive, _ segment: String, _ path: String) throws {
        let file = URL(fileURLWithPath: path)
        let whole = try Data(contentsOf: file)
        var rotten = whole
        rotten[100] ^= 1
        try SpoiltFile.write(rotten, to: path)
        try #expect(archive.pgarchive.run("wal_archive", "verify", "--deep").status == 10)
        let broken = try archive.pgarchive.json("wal_archive", "window")
        let gap = broken["timelines"]?.array.last?["gaps"]?.array.first
        #expect(gap?["cause"]?.string?.contains(segment) == true, "\(broken)")
        try SpoiltFile.write(whole, to: path)
        // One that may not be read is damaged as long as it may not.
        try FileManager.default.setAttributes([.posixPermissions: 0], ofItemAtPath: path)
        let closed = try archive.pgarchive.json("wal_archive", "window")
        #expect(closed["timelines"]?.array.last?["intervals"]?.array.count == 2, "\(closed)")
        try FileManager.default.setAttributes([.posixPermissions: 0o600], ofItemAtPath: path)
        let mended = try archive.pgarchive.json("wal_archive", "window")
        #expect(mended["timelines"]?.array.last?["intervals"]?.array.count == 1, "\(mended)")
    }

    /// All that is compressed while a listing is made is there all the same.
    private func compressedMeanwhile(_ archive: TestArchive) throws {
        let mark = "\(archive.directory.path)/listing"
        let window = try archive.pgarchive.setting("PGARCHIVE_FAULT", "list.named=stop")
            .setting("PGARCHIVE_FAULT_MARK", mark)
            .start("wal_archive", "window", "--output", "json")
        try eventually(within: 60, "the names are read") { FileManager.default.fileExists(atPath: mark) }
        try archive.pgarchive("cron", "compress-wal-archive", "1")
        window.signal(SIGCONT)
        let result = try window.wait(deadline: 60)
        let seen = JSONValue(result.output)
        #expect(seen?["timelines"]?.array.last?["intervals"]?.array.count == 1, "\(result)")
        #expect(seen?["timelines"]?.array.last?["gaps"]?.array.isEmpty == true, "\(result)")
    }

    @Test("the window is what clones can be made of")
    func window() throws {
        try TestArchive.with(TestArchive.Options()) { archive in
            let oracle = try Oracle(archive.upstream)
            try archive.replayEverything()
            let first = try archive.takeSnapshot()
            try oracle.writeRow("one")
            try archive.replayEverything()
            try oracle.writeRow("two")
            let position = try archive.upstream.currentLSN()
            try eventually(within: 30, "all of it is durable") {
                try archive.durable() >= TransactionLog.position(position) ?? .max
            }
            let window = try archive.pgarchive.json("window")
            let interval = try #require(window["timelines"]?.array.last?["intervals"]?.array.last)
            #expect(interval["start"]?.string.flatMap(TransactionLog.position) == first.consistent)
            let end = try #require(interval["end"]?.string)
            #expect(TransactionLog.position(end) ?? 0 >= TransactionLog.position(position) ?? .max)
            #expect(interval["lastCommit"]?["transactionID"]?.number != nil)
            try archive.pgarchive("clone", "create", "last", "--lsn", end, "--start", deadline: 120)
            try #expect(archive.query("last", "select count(*) from oracle where note = 'two'") == "1")
            try archive.discard("last")
            let to = try #require(interval["to"]?.string)
            try archive.pgarchive("clone", "create", "latest", "--at", to, deadline: 120)
            try archive.pgarchive("clone", "delete", "latest")

            // A hole: what lies behind it is a gap until the next snapshot.
            try archive.replayEverything()
            try archive.upstream.sql("insert into oracle (note) values ('three'); checkpoint")
            try archive.replayEverything()
            let later = try archive.takeSnapshot()
            try archive.switchAndReceive()
            let segments = archive.archivedSegments()
            let hole = try #require(segments.first { $0 > SegmentFile.name(of: first.consistent) })
            try #require(hole < SegmentFile.name(of: later.consistent))
            let file = ["", ".zst"].map { "\(archive.walArchive)/\(hole)\($0)" }
                .first { FileManager.default.fileExists(atPath: $0) }
            let taken = try #require(file)
            try FileManager.default.moveItem(atPath: taken, toPath: "\(archive.path)/taken")
            let broken = try archive.pgarchive.json("wal_archive", "window")
            let timeline = try #require(broken["timelines"]?.array.last)
            #expect(timeline["intervals"]?.array.count == 2, "\(broken)")
            let cause = timeline["gaps"]?.array.first?["cause"]?.string
            #expect(cause?.contains("segment \(hole) is missing") == true, "\(broken)")
            try #expect(archive.pgarchive("window").output.contains("gap"))
            try FileManager.default.moveItem(atPath: "\(archive.path)/taken", toPath: taken)
            let mended = try archive.pgarchive.json("wal_archive", "window")
            #expect(mended["timelines"]?.array.last?["intervals"]?.array.count == 1, "\(mended)")
            try damage(archive, hole, taken)
            try compressedMeanwhile(archive)
            try archive.finish()
        }
    }
}

enum SegmentFile {
    /// The segment of timeline 1 that holds a position, with segments of 1 MB.
    static func name(of position: UInt64) -> String {
        String(format: "00000001%08X%08X", UInt32(position >> 32), UInt32((position & 0xFFFF_FFFF) >> 20))
    }
}

extension TestPostgres {
    /// Statements that must not share a transaction with others, one by one in one session.
    func sqlEach(_ statements: String) throws {
        for statement in statements.hasPrefix("begin") ? [statements] : statements.components(separatedBy: "; ") {
            try sql(statement)
        }
    }
}

extension TestArchive {
    func events(_ arguments: String...) throws -> [JSONValue] {
        let result = try pgarchive.succeed(["wal_archive", "events", "--output", "json", "-n", "0"] + arguments)
        guard let value = JSONValue(result.output) else { throw TestFailure("not JSON: \(result)") }
        return value.array
    }

    func station(_ name: String) throws -> JSONValue? {
        let result = try pgarchive.run("container", "status", "--output", "json")
        return JSONValue(result.output)?["waterline"]?["stations"]?.array.first { $0["name"]?.string == name }
    }

    /// The index has a row for every complete segment.
    func awaitIndex() throws {
        let last = archivedSegments().last ?? ""
        try eventually(within: 60, "\(last) is indexed", every: 0.1) {
            guard let text = try? String(contentsOfFile: "\(path)/run/index.json", encoding: .utf8),
                let position = JSONValue(text)?["position"]?.string.flatMap(TransactionLog.position)
            else { return false }
            let isThere = FileManager.default.fileExists(atPath: "\(path)/index.sqlite")
            return isThere && SegmentFile.name(of: position - 1) >= last && JSONValue(text)?["reason"] == nil
        }
    }

    func switchWith(_ statement: String) throws {
        try upstream.sql("create table if not exists pad (id int); insert into pad values (1)")
        _ = try upstream.sql(statement)
        try switchAndReceive()
    }

    /// The indexer has read the standby's catalogs with this table in them.
    func awaitNames(of table: String) throws {
        try eventually(within: 60, "the name of \(table) is known", every: 0.2) {
            guard let index = try? SQLiteDatabase("\(path)/index.sqlite", readOnly: true) else { return false }
            return try !index.rows("SELECT 1 FROM names WHERE name = ?", [.text(table)]) { _ in true }.isEmpty
        }
    }

    /// The newest drop is in the index, and the indexer has noted that all its names are known.
    func awaitNotedDrop() throws {
        let newest = "SELECT naming FROM events WHERE kind = 'drop' ORDER BY timeline DESC, start DESC LIMIT 1"
        try eventually(within: 120, "the newest drop is noted to have its names", every: 0.2) {
            guard let index = try? SQLiteDatabase("\(path)/index.sqlite", readOnly: true) else { return false }
            return try index.rows(newest) { $0.integer(0) ?? 0 } == [1]
        }
    }

    func replayedOrDurable() throws {
        let position = TransactionLog.position(try upstream.currentLSN()) ?? .max
        try eventually(within: 30, "all of it is durable", every: 0.05) { try durable() >= position }
    }

    /// All segments and events, as text.
    func indexRows() throws -> [String] {
        let database = try SQLiteDatabase("\(path)/index.sqlite", readOnly: true)
        return try database.rows(
            """
            SELECT json_array(timeline, number, run_start, first_record, end, records, commits, aborts, newest_time,
                              lowest_transaction, highest_transaction, fault, open_record,
                              (SELECT group_concat(event) FROM
                               (SELECT event FROM events WHERE events.timeline = segments.timeline
                                AND events.number = segments.number ORDER BY start, ordinal)))
            FROM segments ORDER BY timeline, number
            """
        ) { $0.text(0) ?? "" }
    }
}

extension TestArchive {
    /// What bash offers behind these words.
    fileprivate func completed(after words: String) throws -> String {
        let script = """
            export PATH='\(try BuiltPrograms.directory())':$PATH
            eval "$(pgarchive bash-completion)"
            COMP_WORDS=(pgarchive \(words) '') COMP_LINE='pgarchive \(words) '
            COMP_CWORD=$((${#COMP_WORDS[@]} - 1)) COMP_POINT=${#COMP_LINE}
            _pgarchive_other_words pgarchive '' "${COMP_WORDS[COMP_CWORD - 1]}"
            echo "${COMPREPLY[@]}"
            """
        return try TestCommand("/bin/bash", ["-c", script], environment: ["PGARCHIVE": path, "PGARCHIVE_HOME": home])
            .succeed().text
    }
}
