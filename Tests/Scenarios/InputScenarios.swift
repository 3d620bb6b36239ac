import ArchiveTesting
import Foundation
import Testing

/// Whatever a user can get wrong gives an error and a hint, and changes nothing.
@Suite(
    "Wrong input",
    .enabled(if: TestEnvironment.hasPostgres, TestEnvironment.noPostgres),
    .keepsEvidence
)
struct InputScenarios {
    /// Command lines as words; SNAPSHOT is a snapshot that exists, CLONE a clone.
    static let commands: [(words: [String], status: Int32)] = [
        (["clone", "create", "SNAPSHOT", "../evil"], 2),
        (["clone", "create", "SNAPSHOT", "a/b"], 2),
        (["clone", "create", "SNAPSHOT", "UPPER"], 2),
        (["clone", "create", "SNAPSHOT", "a b"], 2),
        (["clone", "create", "SNAPSHOT", "a\nb"], 2),
        (["clone", "create", "SNAPSHOT", ""], 2),
        (["clone", "create", "SNAPSHOT", "."], 2),
        (["clone", "create", "SNAPSHOT", "größe"], 2),
        (["clone", "create", "SNAPSHOT", String(repeating: "n", count: 300)], 2),
        (["clone", "create", "SNAPSHOT", "--", "-x"], 2),
        (["clone", "create", "SNAPSHOT", "$(touch /tmp/pgarchive-was-here)"], 2),
        (["clone", "create", "nosuch", "fine"], 6),
        (["clone", "create", "SNAPSHOT", "CLONE"], 7),
        (["clone", "create", "SNAPSHOT", "fine", "not a time"], 2),
        (["clone", "create", "fine", "--at", "next sometime maybe"], 2),
        (["clone", "create", "fine", "--at", ""], 2),
        (["clone", "create", "fine", "--at", "1 year ago"], 4),
        (["clone", "create", "fine", "--at", "1 year"], 4),
        (["clone", "create", "fine", "--lsn", "zz"], 2),
        (["clone", "create", "fine", "--lsn", "0"], 2),
        (["clone", "create", "fine", "--lsn", "FFFFFFFF/FFFFFFFF"], 4),
        (["clone", "create", "fine", "--lsn", "0/1"], 4),
        (["clone", "create", "fine", "--at", "now", "--latest"], 2),
        (["clone", "create", "fine"], 2),
        (["clone", "create"], 2),
        (["clone", "crate", "SNAPSHOT", "fine"], 2),
        (["clone", "start", "nosuch"], 6),
        (["clone", "stop", "nosuch"], 6),
        (["clone", "stop"], 2),
        (["clone", "reload", "nosuch"], 6),
        (["clone", "restart", "nosuch"], 6),
        (["clone", "delete", "nosuch"], 6),
        (["clone", "delete", "../main"], 6),
        (["clone", "log", "nosuch"], 6),
        (["clone", "psql", "nosuch"], 6),
        (["clone", "duplicate", "nosuch", "fine"], 6),
        (["clone", "duplicate", "CLONE", "CLONE"], 7),
        (["snapshot", "delete", "nosuch"], 6),
        (["snapshot", "delete"], 2),
        (["snapshot", "delete", "../wal_archive"], 6),
        (["cron", "compress-wal-archive", "0"], 2),
        (["cron", "compress-wal-archive", "-1"], 2),
        (["cron", "compress-wal-archive", "many"], 2),
        (["nonsense"], 2),
        (["container", "status", "--container", "nosuch"], 6),
        (["container", "status", "--container", "/nonexistent/path"], 6),
        (["container", "status", "--container", "/tmp"], 6),
        (["container", "status", "--nonsense"], 2),
        (["container", "status", "--output", "xml"], 2),
        (["container", "init", "--container", "BAD NAME"], 2),
        // As pg_receivewal, which it stands in for.
        (["wal_archive", "receive", "-D", "/nonexistent/dir"], 1),
    ]

    @Test func eachGivesErrorAndHintAndChangesNothing() throws {
        try TestArchive.with(TestArchive.Options()) { archive in
            let snapshot = try archive.takeSnapshot().name
            try archive.pgarchive("clone", "create", "CLONE".lowercased(), "--latest")
            let before = try Self.state(of: archive)
            for (words, status) in Self.commands {
                let filled = words.map { $0 == "SNAPSHOT" ? snapshot : $0 == "CLONE" ? "clone" : $0 }
                expectRefusal(try archive.pgarchive.run(filled), status: status)
                try #expect(Self.state(of: archive) == before, "after \(filled)")
            }
            #expect(!FileManager.default.fileExists(atPath: "/tmp/pgarchive-was-here"))
            let expire = try archive.pgarchive.setting("EXPIRE_DATE", "no date at all").run("snapshot", "expire")
            expectRefusal(expire, status: 2)
            try #expect(Self.state(of: archive) == before)
            try archive.switchAndReceive()
            try archive.finish()
        }
    }

    /// Settings as people write them: the key, the file and the likely meaning are said.
    @Test func settingsThatAreWrong() throws {
        try TestArchive.with(TestArchive.Options()) { archive in
            let path = "\(archive.path)/pgarchive.toml"
            let good = try String(contentsOfFile: path, encoding: .utf8)
            let wrong: [(line: String, mentions: String)] = [
                ("[keep]\nexpire_dat = \"1 week ago\"", "expire_date"),
                ("nonsense = 1", "nonsense"),
                ("[clone]\nports = \"70000-80000\"", "ports"),
                ("[clone]\nports = \"5600-5500\"", "ports"),
                ("[keep]\nminimum = \"two\"", "minimum"),
                ("[keep]\nminimum = -1", "minimum"),
                ("[keep]\nexpire_date = \"whenever\"", "expire_date"),
                ("[wal]\nsynchronous = \"perhaps\"", "synchronous"),
                ("= broken", "pgarchive.toml"),
            ]
            for (line, mentions) in wrong {
                let sections = ["[keep]", "[clone]", "[wal]"].filter { line.contains($0) }
                // The same table twice is an error of its own; what stands in the file is put aside.
                let text = sections.isEmpty ? "\(line)\n\(good)" : "\(Self.top(good))\n\(line)\n"
                try SpoiltFile.write(text, to: path)
                expectRefusal(try archive.pgarchive.run("snapshot", "expire", "--show"), status: 2, mentions: mentions)
            }
            try SpoiltFile.write(good, to: path)
            try archive.pgarchive("snapshot", "expire", "--show")
            try archive.switchAndReceive()
            try archive.finish()
        }
    }

    /// Files that were damaged or planted give an error that names them; nothing traps.
    @Test func filesThatAreWrong() throws {
        try TestArchive.with(TestArchive.Options()) { archive in
            let snapshot = try archive.takeSnapshot().name
            for file in ["container.json", "snapshots/\(snapshot)/snapshot.json"] {
                let path = "\(archive.path)/\(file)"
                let good = try Data(contentsOf: URL(fileURLWithPath: path))
                for bad in ["", "{", "[]", "{\"format\": 99}", String(repeating: "x", count: 100_000)] {
                    try SpoiltFile.write(bad, to: path)
                    let result = try archive.pgarchive.run("snapshot", "list")
                    #expect(result.status < 126, "\(result)")
                    #expect(result.error.contains(file.components(separatedBy: "/").last ?? file), "\(result)")
                    // What a snapshot needs that cannot be read is not known: nothing is removed.
                    expectRefusal(try archive.pgarchive.setting("EXPIRE_DATE", "now").run("snapshot", "expire"))
                }
                try SpoiltFile.write(good, to: path)
            }
            try SpoiltFile.write("what is this", to: "\(archive.walArchive)/README")
            try SpoiltFile.write("", to: "\(archive.walArchive)/00000001000000000000000g")
            try archive.pgarchive("wal_archive", "list")
            try archive.pgarchive("clone", "create", "fine", "--latest", "--start")
            for name in ["README", "00000001000000000000000g"] {
                try FileManager.default.removeItem(atPath: "\(archive.walArchive)/\(name)")
            }
            try archive.switchAndReceive()
            for sentence in try InvariantsChecker(archive).archivedBytesDiffer() { Issue.record("\(sentence)") }
        }
    }

    /// What stands before the first table.
    private static func top(_ text: String) -> String {
        text.split(separator: "\n", omittingEmptySubsequences: false).prefix { !$0.hasPrefix("[") }.joined(
            separator: "\n"
        )
    }

    /// What commands may change: snapshots, clones, settings, identity.
    private static func state(of archive: TestArchive) throws -> [String] {
        try TestCommand.asCaller(
            "find",
            [
                archive.path, "-mindepth", "1", "-maxdepth", "3", "-not", "-path", "*/run*", "-not", "-path", "*/log*",
                // SQLite's own, which are there while the supervisor has the index open.
                "-not", "-name", "index.sqlite-*", "-not", "-path", "*/wal_archive/*", "-not", "-path", "*/standby/*",
                "-not", "-path", "*/root/*",
            ]
        ).succeed().lines.sorted()
    }
}
