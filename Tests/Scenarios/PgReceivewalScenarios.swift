import ArchiveTesting
import Foundation
import Testing
import WALFormat
import WALStore

/// This program where others call pg_receivewal, beside the real one.
@Suite(
    "In the place of pg_receivewal",
    .enabled(if: TestEnvironment.hasPostgres, TestEnvironment.noPostgres),
    .keepsEvidence
)
struct PgReceivewalScenarios {
    /// One directory, received by both in turn, stopped and killed: each finds what the other left.
    @Test(.timeLimit(.minutes(5)), arguments: ["none", "gzip", "gzip:9", "lz4"])
    func takesOverAndHandsOver(method: String) throws {
        try Self.with { place in
            try place.ours(["--create-slot", "-S", "one"]).succeed()
            for round in 0..<6 {
                let isOurs = round % 2 == 1
                let words = ["-D", place.wal, "-S", "one", "-n", "-Z", method, "-s", "1"]
                let receiver = try (isOurs ? place.ours(words) : place.theirs(words)).start()
                let last = try place.writeSegments()
                try eventually(within: 60, "round \(round): \(last) is received; \(receiver.error)") {
                    place.stored(last) != nil
                }
                // PostgreSQL 15's own knows no SIGTERM.
                receiver.signal(round % 3 == 2 ? SIGKILL : round == 3 ? SIGTERM : SIGINT)
                let result = try receiver.wait(deadline: 30)
                #expect(round % 3 == 2 || result.status == 0, "\(result)")
            }
            // Once more, so that what the last one was killed with is put in order.
            let end = try place.upstream.currentLSN()
            let finish = try place.ours(["-D", place.wal, "-S", "one", "-n", "-Z", method, "-E", end]).run(deadline: 60)
            #expect(finish.status == 0, "\(finish)")
            try place.expectCopies(ending: method == "none" ? "" : ".\(method.hasPrefix("gzip") ? "gz" : "lz4")")
        }
    }

    /// Both at once from one server: in the end the same files with the same content.
    @Test(.timeLimit(.minutes(5)), arguments: ["none", "gzip:1", "lz4"])
    func givesTheSameFiles(method: String) throws {
        try Self.with { place in
            try place.upstream.sql(
                "select pg_create_physical_replication_slot(s, true) from unnest('{one,two}'::text[]) s"
            )
            let ours = try place.ours(["-D", place.wal, "-S", "one", "-Z", method]).start()
            let theirs = try place.theirs(["-D", place.second, "-S", "two", "-Z", method]).start()
            for _ in 0..<3 { _ = try place.writeSegments() }
            let ending = method == "none" ? "" : method == "lz4" ? ".lz4" : ".gz"
            let last = try place.writeSegments() + ending
            try eventually(within: 60, "\(last); \(ours.error) \(theirs.error)") {
                [place.wal, place.second].allSatisfy { FileManager.default.fileExists(atPath: "\($0)/\(last)") }
            }
            for receiver in [ours, theirs] {
                receiver.signal(SIGINT)
                let result = try receiver.wait(deadline: 30)
                #expect(result.status == 0, "\(result)")
            }
            let names = try [place.wal, place.second].map { directory in
                try FileManager.default.contentsOfDirectory(atPath: directory).filter { !$0.hasSuffix(".partial") }
                    .sorted()
            }
            #expect(names[0] == names[1])
            try place.expectCopies(ending: ending)
        }
    }

    @Test func slotsAndExitCodes() throws {
        try Self.with { place in
            let rows: [(words: [String], status: Int32, says: String)] = [
                (["--create-slot", "-S", "one"], 0, ""),
                (["--create-slot", "-S", "one"], 1, "already exists"),
                (["--create-slot", "-S", "one", "--if-not-exists"], 0, ""),
                (["-D", place.wal, "-S", "nosuch", "-n"], 1, "nosuch"),
                (["-D", "/nonexistent", "-S", "one", "-n"], 1, "/nonexistent"),
                (["-D", place.wal, "-S", "one", "-n", "-h", "/nonexistent"], 1, "/nonexistent"),
                (["-D", place.wal, "--bogus"], 1, "--bogus"),
                (["--drop-slot", "-S", "one"], 0, ""),
                (["--drop-slot", "-S", "one"], 1, "does not exist"),
            ]
            for row in rows {
                for tool in [place.ours(row.words), place.theirs(row.words)] {
                    // pg_receivewal drops what is gone with a word of its own; both fail.
                    if row.words == ["--create-slot", "-S", "one"], row.status == 0, tool.executable == place.theirsPath
                    {
                        continue
                    }
                    if row.words.first == "--drop-slot", row.status == 0, tool.executable == place.theirsPath {
                        continue
                    }
                    let result = try tool.run(deadline: 60)
                    #expect(result.status == row.status, "\(result)")
                    #expect(row.says.isEmpty || result.error.contains(row.says), "\(result)")
                    let isFormed = result.error.isEmpty || result.error.hasPrefix("pg_receivewal: error: ")
                    #expect(isFormed || tool.executable == place.theirsPath, "\(result)")
                }
                if row.status == 0, row.words.count == 3, row.words[0] == "--create-slot" {
                    // pg_receivewal's own slot would keep nothing until its first report.
                    let keeps = try place.upstream.sql("select restart_lsn is not null from pg_replication_slots")
                    #expect(keeps == "t")
                }
            }
            let version = try place.ours(["--version"]).run()
            #expect(version.output.hasPrefix("pg_receivewal (PostgreSQL) 18.") && version.status == 0)
        }
    }

    /// libpq's environment, a password file, and the rights of the upstream's files.
    @Test func takesThePasswordAndTheRightsFromWherePgReceivewalDoes() throws {
        var options = TestPostgres.Options()
        options.hostBasedAuthentication = "local all all trust\nlocal replication repl scram-sha-256\n"
        try Self.with(options: options) { place in
            let up = place.upstream
            try up.sql("create role repl login replication password 'se cret:1'")
            // So that nothing is passed over, however late the receiver begins.
            try up.sql("select pg_create_physical_replication_slot('kept', true)")
            try up.stop()
            try TestCommand("/bin/chmod", ["-R", "g+rX", up.data]).succeed()
            try up.start()
            let passwords = "\(place.wal)/../pgpass"
            try TestCommand("/bin/sh", ["-c", "umask 077; cat > '\(passwords)'"])
                .succeed(input: "*:*:replication:repl:se cret\\:1\n")
            var refused = place.ours(["-D", place.wal, "-n", "-w", "-U", "repl"])
            let result = try refused.run(deadline: 60)
            #expect(result.status == 1 && result.error.contains("pg_receivewal: error: "), "\(result)")
            refused.environment["PGPASSFILE"] = passwords
            refused.environment["PGUSER"] = "repl"
            refused.arguments = ["-D", place.wal, "-w", "-n", "-S", "kept"]
            let receiver = try refused.start()
            let last = try place.writeSegments()
            try eventually(within: 60, "\(last); \(receiver.error)") { place.stored(last) != nil }
            let modes = try TestCommand("/usr/bin/stat", ["-c", "%a", "\(place.wal)/\(last)"]).succeed().output
            #expect(modes == "640\n")
            receiver.signal(SIGTERM)
            #expect(try receiver.wait(deadline: 30).status == 0)
        }
    }

    // MARK: - A server, a directory, both programs

    struct Place {
        let upstream: TestPostgres
        let wal: String
        let second: String
        let oursPath: String
        let theirsPath: String

        func ours(_ words: [String]) -> TestCommand { command(oursPath, words) }
        func theirs(_ words: [String]) -> TestCommand { command(theirsPath, words) }

        private func command(_ path: String, _ words: [String]) -> TestCommand {
            let environment = ["PGHOST": upstream.sockets, "PGPORT": "\(upstream.port)", "PGUSER": "postgres"]
            return TestCommand(path, words, environment: environment)
        }

        /// Some WAL up to a segment's end; that segment.
        func writeSegments() throws -> String {
            try upstream.sql("create table if not exists t (n int)")
            try upstream.sql("insert into t select generate_series(1, 20000)")
            let last = try upstream.switchSegment()
            try upstream.sql("insert into t select generate_series(1, 100)")
            return last
        }

        /// The complete file of a segment, in whatever form.
        func stored(_ name: String) -> String? {
            SegmentForm.complete.map { "\(wal)/\(name)\($0.suffix)" }
                .first { FileManager.default.fileExists(atPath: $0) }
        }

        /// Every segment is what archive_command copied, none is missing, and nothing else is left.
        func expectCopies(ending: String) throws {
            let size = try #require(SegmentSize(bytes: 1 << 20))
            let archive = WALDirectory(wal, segmentSize: size)
            let listing = try archive.list()
            let complete = listing.segments.filter(\.form.isComplete)
            #expect(complete.allSatisfy { $0.form.suffix == ending }, "\(complete.map(\.fileName))")
            let numbers = complete.compactMap { $0.name.number(size: size) }
            #expect(zip(numbers, numbers.dropFirst()).allSatisfy { $1 == $0 + 1 }, "\(complete.map(\.fileName))")
            #expect(complete.count > 4)
            for segment in complete {
                guard let copy = FileManager.default.contents(atPath: "\(upstream.copies)/\(segment.name)") else {
                    continue
                }
                let isSame = try archive.bytes(of: segment).withBytes { Data($0) } == copy
                #expect(isSame, "\(segment.fileName)")
            }
            let names = try FileManager.default.contentsOfDirectory(atPath: wal)
            #expect(names.filter { $0.hasSuffix(".partial") }.count <= 1, "\(names.sorted())")
            #expect(listing.foreign.isEmpty, "\(listing.foreign)")
        }
    }

    private static func with<Result>(
        options: TestPostgres.Options = TestPostgres.Options(),
        _ body: (Place) throws -> Result
    ) throws -> Result {
        try TestDirectory.with { directory in
            try TestPostgres.with(in: directory, options: options) { upstream in
                let wal = try directory.subdirectory("wal")
                let bin = try directory.subdirectory("bin")
                let ours = "\(bin)/pg_receivewal"
                try FileManager.default.createSymbolicLink(
                    atPath: ours,
                    withDestinationPath: BuiltPrograms.pgarchive()
                )
                let theirs = "\(upstream.bin)/pg_receivewal"
                let second = try directory.subdirectory("wal2")
                return try body(
                    Place(upstream: upstream, wal: wal, second: second, oursPath: ours, theirsPath: theirs)
                )
            }
        }
    }
}
