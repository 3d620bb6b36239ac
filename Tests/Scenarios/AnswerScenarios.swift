import ArchiveTesting
import Testing

/// What commands answer in situations that a user could take for something else.
@Suite("Answers", .enabled(if: TestEnvironment.hasPostgres, TestEnvironment.noPostgres), .keepsEvidence)
struct AnswerScenarios {
    /// The part runs, so it is no failure; but nobody should think that WAL is received.
    @Test func aReceiverThatOnlyTriesSaysSo() throws {
        try TestArchive.with(TestArchive.Options()) { archive in
            try archive.pgarchive("wal_archive", "stop")
            try archive.upstream.stop()
            for command in [["wal_archive", "start"], ["container", "start"]] {
                let start = try archive.pgarchive.run(command)
                #expect(start.status == 0, "\(start)")
                #expect(start.output.contains("wal_archive: retrying, process "), "\(start)")
                #expect(start.output.contains("connection to server"), "\(start)")
            }
            let json = try archive.pgarchive.json("wal_archive", "start")
            #expect(json.find("reason")?.string?.contains("connection to server") == true, "\(json)")
            // A receiver that has not heard the upstream since it was started knows no distance to it.
            let status = try archive.pgarchive.run(["container", "status"]).output.split(separator: "\n")
            for station in ["upstream", "durable", "replayed"] {
                let columns = try #require(status.first { $0.hasPrefix("\(station) ") }).split(separator: " ")
                #expect(columns.dropFirst(3).first == "-", "\(columns)")
            }
            try archive.upstream.start()
            try eventually(within: 120, "the receiver is connected again") {
                try archive.pgarchive.run(["wal_archive", "start"]).output.contains("wal_archive: streaming")
            }
            try archive.finish()
        }
    }

    /// All or nothing, as far as it can be known before.
    @Test func clonesAreDeletedByNamesAndPatterns() throws {
        try TestArchive.with(TestArchive.Options()) { archive in
            let snapshot = try archive.takeSnapshot().name
            for name in ["a1", "a2", "b"] { try archive.pgarchive("clone", "create", name, "--latest") }
            try archive.pgarchive("clone", "start", "a2")
            func clones() throws -> String { try archive.pgarchive("clone", "list", "--quiet").text }
            expectRefusal(
                try archive.pgarchive.run(["clone", "delete", "a*", "b"]),
                status: 7,
                mentions: "'a2' is running"
            )
            expectRefusal(try archive.pgarchive.run(["clone", "delete", "b", "nosuch"]), status: 6, mentions: "nosuch")
            expectRefusal(
                try archive.pgarchive.run(["clone", "delete", "b", "x*"]),
                status: 6,
                mentions: "matches 'x*'"
            )
            try #expect(clones() == "a1\na2\nb")
            try archive.pgarchive("clone", "stop", "a2")
            try archive.pgarchive("clone", "delete", "a*", "a1")
            try #expect(clones() == "b")

            expectRefusal(
                try archive.pgarchive.run(["clone", "create", "c", snapshot]),
                status: 6,
                mentions: "'pgarchive clone create \(snapshot) c"
            )
            try archive.pgarchive("clone", "delete", "b")
            expectRefusal(try archive.pgarchive.run(["snapshot", "delete", "x*"]), status: 6, mentions: "matches 'x*'")
            let last = try archive.pgarchive.run(["snapshot", "delete", snapshot])
            #expect(last.status == 0 && last.error.contains("no snapshot is left"), "\(last)")
            try archive.finish()
        }
    }
}
