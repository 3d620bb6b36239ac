import ArchiveTesting
import Foundation
import Testing
import WALFormat

/// `pgarchive wal_archive inspect`, against pg_waldump.
@Suite(
    "Inspecting archived WAL",
    .enabled(if: TestEnvironment.hasPostgres, TestEnvironment.noPostgres),
    .keepsEvidence
)
struct InspectScenarios {
    static let servers = [TestEnvironment.postgresBin].compactMap(\.self) + TestEnvironment.furtherPostgresBins

    private func withServer(_ bin: String? = nil, _ body: (TestPostgres, TestDirectory) throws -> Void) throws {
        try TestDirectory.with { directory in
            var options = TestPostgres.Options()
            options.bin = bin
            options.settings = ["wal_compression": "on"]
            try TestPostgres.with(in: directory, options: options) { try body($0, directory) }
        }
    }

    private func program(_ directory: TestDirectory) throws -> PgArchive {
        PgArchive(home: try directory.subdirectory("home"))
    }

    /// Every line of --records against pg_waldump's of the same server.
    @Test(arguments: servers)
    func recordsAsPgWaldumpShowsThem(bin: String) throws {
        try withServer(bin) { server, directory in
            try server.sql("create extension if not exists plpgsql; create table g (p point, t text, a int[])")
            try server.sql(
                """
                create index on g using gist (p); create index on g using spgist (t); create index on g using gin (a);
                create index on g using brin (t); create index on g using hash (t); create index on g (t);
                insert into g select point(n, n), 't' || n, array[n, n + 1] from generate_series(1, 3000) n;
                update g set t = t || 'x' where random() < 0.3; delete from g where random() < 0.5; vacuum g;
                create sequence s; select nextval('s') from generate_series(1, 100);
                begin; select * from g limit 5 for update; savepoint a; truncate g; rollback to a; commit;
                select pg_logical_emit_message(true, 'a', 'b')
                """
            )
            try server.sql("create database other; checkpoint; drop database other")
            let last = try server.switchAndArchive()
            let names = try FileManager.default.contentsOfDirectory(atPath: server.copies).sorted()
                .filter { SegmentName($0) != nil && $0 <= last }
            let archive = try program(directory)
            var compared = 0
            var kinds: Set<String> = []
            for name in names {
                let theirs = try TestCommand("\(server.bin)/pg_waldump", ["-p", server.copies, name]).run(deadline: 60)
                let ours = try archive.succeed(
                    ["wal_archive", "inspect", "-D", server.copies, name, "--records", "-q"]
                )
                let found = ours.lines.map { $0.split(separator: " ").map(String.init) }
                let expected = theirs.text.split(separator: "\n").compactMap { Dumped(String($0)) }
                // pg_waldump leaves out a record that goes on in the next segment.
                #expect(found.count - expected.count == 0 || found.count - expected.count == 1, "\(name)")
                for (line, dumped) in zip(found, expected) {
                    let same = line.count >= 7 && dumped.fits(line)
                    #expect(same, "\(line) is not \(dumped)")
                    if !same { return }
                    kinds.insert(line[2] + " " + line[6])
                }
                compared += expected.count
            }
            #expect(compared > 5000)
            #expect(kinds.count > 40, "\(kinds.sorted())")
        }
    }

    /// A line of pg_waldump.
    private struct Dumped {
        let words: [String]
        let kind: String

        init?(_ line: String) {
            guard line.hasPrefix("rmgr: "), let lsn = line.firstRange(of: "lsn: "),
                let previous = line.firstRange(of: ", prev "), let desc = line.firstRange(of: ", desc: "),
                let lengths = line.firstRange(of: "len (rec/tot):"), let tx = line.firstRange(of: ", tx:")
            else { return nil }
            let numbers = line[lengths.upperBound..<tx.lowerBound].split(separator: "/").map {
                $0.trimmingCharacters(in: .whitespaces)
            }
            let position = { (text: Substring) in LSN(String(text)).map { "\($0)" } ?? "?" }
            guard numbers.count == 2 else { return nil }
            words = [
                position(line[lsn.upperBound..<previous.lowerBound]),
                position(line[previous.upperBound..<desc.lowerBound]),
                line[line.index(line.startIndex, offsetBy: 6)..<lengths.lowerBound].trimmingCharacters(
                    in: .whitespaces
                ),
                numbers[0], numbers[1],
                line[tx.upperBound..<lsn.lowerBound].trimmingCharacters(in: CharacterSet(charactersIn: " ,")),
            ]
            kind = line[desc.upperBound...].split(separator: " ", maxSplits: 1).first.map(String.init) ?? ""
        }

        /// pg_waldump names generic records by their content only.
        func fits(_ line: [String]) -> Bool {
            Array(line.prefix(6)) == words && (line[6] == kind || words[2] == "Generic")
        }
    }

    @Test func commitsStatisticsAndRanges() throws {
        try withServer { server, directory in
            try server.sql("create table t (n int)")
            let start = try server.sql("select pg_current_wal_insert_lsn()")
            for number in 1...20 { try server.sql("insert into t values (\(number))") }
            try server.sql("begin; insert into t values (21); rollback")
            let end = try server.sql("select pg_current_wal_insert_lsn()")
            let id = try server.sql("begin; insert into t values (22); select pg_current_xact_id(); commit")
            let segment = try server.switchAndArchive()
            let archive = try program(directory)
            let place = ["-D", server.copies]
            let range = try archive.succeed(
                ["wal_archive", "inspect", "\(start)..\(end)", "--commits", "--output", "json"] + place
            )
            let ends = try #require(
                try JSONSerialization.jsonObject(with: Data(range.text.utf8)) as? [[String: Any]]
            )
            #expect(ends.count { $0["isCommit"] as? Bool == true } == 20)
            #expect(ends.count { $0["isCommit"] as? Bool == false } == 1)
            let all = try archive.succeed(["wal_archive", "inspect", segment, "--commits"] + place)
            #expect(all.lines.contains { $0.split(separator: " ").contains(Substring(id)) && $0.contains("commit") })
            let stats = try archive.succeed(["wal_archive", "inspect", segment] + place)
            let theirs = try TestCommand("\(server.bin)/pg_waldump", ["--stats", "-p", server.copies, segment]).run()
            for manager in ["Heap", "Transaction", "Btree", "XLOG"] {
                let line = { (text: String) in
                    text.split(separator: "\n").first { $0.hasPrefix(manager + " ") }?
                        .split(whereSeparator: { " ()".contains($0) }).map(String.init)
                }
                #expect(line(stats.text)?[1] == line(theirs.text)?[1], "\(manager)")
            }
        }
    }

    /// What is before the damage is shown, then the damage is said.
    @Test func damagedAndMissing() throws {
        try withServer { server, directory in
            try server.sql("create table t (n int)")
            let start = try server.sql("select pg_current_wal_insert_lsn()")
            for _ in 1...3 {
                try server.sql("insert into t select generate_series(1, 9000)")
                try server.switchAndArchive()
            }
            let size = try #require(SegmentSize(bytes: 1 << 20))
            let first = SegmentName(timeline: TimelineID(1), containing: try #require(LSN(start)), size: size)
            let archive = try program(directory)
            let intact = try archive.succeed(
                ["wal_archive", "inspect", first.description, "-D", server.copies, "--records", "-q"]
            )
            var bytes = try Data(contentsOf: URL(fileURLWithPath: "\(server.copies)/\(first)"))
            bytes[600_000] ^= 1
            try bytes.write(to: URL(fileURLWithPath: "\(server.copies)/\(first)"))
            let cut = try archive.run([
                "wal_archive", "inspect", first.description, "-D", server.copies, "--records", "-q",
            ])
            #expect(cut.status == 9)
            #expect(cut.lines.count > 100)
            #expect(cut.lines.elementsEqual(intact.lines.prefix(cut.lines.count)))
            #expect(cut.error.contains("segment \(first) is not valid WAL from 0/"), "\(cut.error)")
            let stats = try archive.run(["wal_archive", "inspect", first.description, "-D", server.copies])
            #expect(stats.status == 9)
            #expect(stats.text.contains("Heap "))
            let json = try archive.run([
                "wal_archive", "inspect", first.description, "-D", server.copies, "--commits", "--output", "json",
            ])
            #expect(json.status == 9)
            #expect((try? JSONSerialization.jsonObject(with: Data(json.text.utf8))) is [Any])
            unlink("\(server.copies)/\(first)")
            try #expect(archive.run(["wal_archive", "inspect", first.description, "-D", server.copies]).status == 6)
            let gap = try archive.run(["wal_archive", "inspect", "\(start)..", "-D", server.copies, "--commits"])
            #expect(gap.status == 9, "\(gap)")
            try #expect(archive.run(["wal_archive", "inspect", "nonsense", "-D", server.copies]).status == 2)
        }
    }
}
