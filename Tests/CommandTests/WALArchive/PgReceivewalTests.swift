import ArgumentParser
import Testing
import WALFormat
import WALStore

@testable import pgarchive

/// pg_receivewal's command line.
struct PgReceivewalTests {
    @Test(arguments: [
        ("none", nil), ("0", nil), ("gzip", SegmentCodec(.gzip)), ("gzip:9", SegmentCodec(.gzip, level: 9)),
        ("6", SegmentCodec(.gzip, level: 6)), ("gzip:level=1", SegmentCodec(.gzip, level: 1)),
        ("lz4", SegmentCodec(.lz4)), ("lz4:12", SegmentCodec(.lz4, level: 12)),
        ("zstd:3", SegmentCodec(.zstd, level: 3)),
    ])
    func compressionMethods(text: String, codec: SegmentCodec?) throws {
        #expect(try ReceiveCompression(text).codec == codec)
    }

    @Test(arguments: [
        "", "bzip2", "gzip:", "gzip:0", "gzip:10", "lz4:13", "none:1", "-1", "10", "gzip:fast", "gzip:workers=2", ":1",
        "GZIP", "zstd:99999999999999999999", "gzip:1:2", "\0",
    ])
    func otherMethodsAreRefused(text: String) {
        #expect(throws: ReceiveCompression.Complaint.self) { try ReceiveCompression(text) }
    }

    /// As getopt_long reads them.
    @Test(arguments: [
        (["-nvD/wal"], ["-n", "-v", "-D/wal"]), (["-vnw"], ["-v", "-n", "-w"]), (["--dir=x"], ["--directory=x"]),
        (["--dir", "--if"], ["--directory", "--if"]), (["--no"], ["--no"]), (["--no-l"], ["--no-loop"]),
        (["-d", "-v"], ["-d", "-v"]), (["-vx"], ["-vx"]), (["-"], ["-"]), (["--", "-nv"], ["--", "-nv"]),
        (["-Zgzip:9", "--status=5"], ["-Zgzip:9", "--status-interval=5"]), (["-é"], ["-é"]), ([], []),
    ])
    func wordsAreTakenAsGetoptDoes(given: [String], parsed: [String]) {
        #expect(PgReceivewal.words(given) == parsed)
    }

    @Test(arguments: [
        // As Barman calls it.
        [
            "--dbname=host=db1 user=streaming_barman application_name='barman_receive_wal'", "--verbose", "--no-loop",
            "--no-password", "--directory=/var/lib/barman/main/streaming", "--slot=barman", "--synchronous",
        ],
        ["--create-slot", "--slot=x", "--if-not-exists"], ["--drop-slot", "-S", "x"],
        ["-D", "/wal", "-h", "db1", "-p", "5433", "-U", "repl", "-w", "-s", "0", "-E", "0/3000000", "-n", "--no-sync"],
        ["-D/wal", "-hdb1", "-p5433", "-Urepl", "-W", "-Sx", "-Zlz4", "-s1", "-v"],
    ])
    func commandLinesOfOthersAreTaken(words: [String]) throws {
        let words = ["wal_archive", "receive", "--as-pg-receivewal"] + PgReceivewal.words(words)
        let command = try #require(try PgArchive.parseAsRoot(words) as? WALArchiveReceiveCommand)
        #expect(command.takesLibpqEnvironment)
    }

    @Test(arguments: [
        ["--create-slot"], ["--create-slot", "--drop-slot", "--slot=x"], ["-D", "/x", "--synchronous", "--no-sync"],
        ["-D", "/x", "-s", "-1"], ["-D", "/x", "-E", "nonsense"], ["-D", "/x", "extra"],
        ["-D", "/x", "-S", "Bad Slot"],
        ["--slot=x"], [], ["-D"], ["-D", "/x", "-Z", "nonsense"],
    ])
    func mistakesAreRefused(words: [String]) {
        let words = ["wal_archive", "receive", "--as-pg-receivewal"] + PgReceivewal.words(words)
        #expect(throws: (any Error).self) { try PgArchive.parseAsRoot(words) }
    }

    @Test func isKnownByItsName() {
        #expect(PgReceivewal.isMeant(by: "/usr/local/bin/pg_receivewal") && PgReceivewal.isMeant(by: "pg_receivewal"))
        #expect(!PgReceivewal.isMeant(by: "/usr/bin/pgarchive") && !PgReceivewal.isMeant(by: ""))
        #expect(PgReceivewal.version.hasPrefix("pg_receivewal (PostgreSQL) 18.0 ("))
        #expect(PgReceivewal.help.contains("USAGE: pg_receivewal"))
    }
}
