import ArchiveTesting
import PostgresLink
import Testing
import WALFormat

@testable import PostgresLink

@Suite("Files of a local server")
struct ServerFilesTests {
    @Test func configurationTextIsQuoted() {
        var configuration = ServerConfiguration()
        configuration.comment("made by pgarchive\n\nsecond")
        configuration.set("restore_command", "it's \\ \"%p\"\nnext", comment: "why")
        configuration.blank()
        configuration.set([("port", "5500"), ("cluster_name", "")])
        #expect(
            configuration.text == """
                # made by pgarchive
                #
                # second
                restore_command = 'it''s \\\\ "%p"\\nnext'  # why

                port = '5500'
                cluster_name = ''

                """
        )
    }

    @Test(.enabled(if: TestEnvironment.hasPostgres, TestEnvironment.noPostgres), .keepsEvidence)
    func theServerReadsWhatWasQuoted() throws {
        try LocalServerFixture.with { fixture in
            let command = "echo 'it''s' \\ \"%p\" \\n; false\ttab # no comment"
            var configuration = ServerConfiguration()
            configuration.set("archive_cleanup_command", command)
            let path = "\(fixture.cluster.root)/made.conf"
            try TestCommand("/bin/sh", ["-c", "cat > '\(path)'"]).succeed(input: configuration.text)
            fixture.launch.configurationFile = path
            let server = try fixture.started()
            #expect(try fixture.connect(server).value("SHOW archive_cleanup_command") == command)
            try server.stop(.immediate, timeoutSeconds: 30)
        }
    }

    @Test func postmasterFilesAreRead() throws {
        let whole = "123\n/data dir\n1700000000\n5432\n/tmp/s\nlocalhost\n  5432001    196608\nready   \n"
        let file = try #require(PostmasterFile(whole))
        #expect(file.pid == 123)
        #expect(file.dataDirectory == "/data dir")
        #expect(file.port == 5432)
        #expect(file.socketDirectory == "/tmp/s")
        #expect(file.status == .ready)
        let early = try #require(PostmasterFile("123\n/data\n1700000000\n5432\n\n"))
        #expect(early.status == nil)
        #expect(early.socketDirectory == nil)
        #expect(PostmasterFile("-77\n/data\n17\n")?.pid == 77)
        for text in [
            "", "\n\n\n", "x\n/data\n17\n", "0\n/data\n17\n", "1\n", "-2147483648\n/d\n1\n", "99999999999\n/d\n1\n",
        ] {
            #expect(PostmasterFile(text) == nil)
        }
    }

    @Test func logEntriesAreRead() {
        func record(_ severity: String, _ message: String) -> String {
            "2026-11-21 09:45:11.768 UTC,,,26419,,6b016827.6733,3,,2026-11-21 09:45:11 UTC,,0,\(severity),XX000,"
                + "\"\(message)\",\"a \"\"detail\"\"\",,,,,,,,\"\",\"startup\",,0\n"
        }
        let text = "cut off\"\n" + record("LOG", "one,\ntwo") + record("FATAL", "end") + "2026-11-21 09:4"
        let entries = ServerLogEntry.parse(Array(text.utf8))
        #expect(entries.map(\.message) == ["one,\ntwo", "end"])
        #expect(entries.map(\.isFatal) == [false, true])
        #expect(entries.last?.lines == ["FATAL: end", "DETAIL: a \"detail\""])
        // Never a trap, whatever is in the file.
        for end in 0...text.utf8.count {
            _ = ServerLogEntry.parse(Array(text.utf8.prefix(end)))
            _ = ServerLogEntry.parse(Array(text.utf8.dropFirst(end)))
        }
    }

    @Test func versionsAreRead() {
        #expect(PostgresInstallation.parse("postgres (PostgreSQL) 15.18 (Debian 15.18-0)\n")?.version == "15.18")
        #expect(PostgresInstallation.parse("postgres (PostgreSQL) 18beta1\n")?.major == .v18)
        for text in ["", "postgres (PostgreSQL) 14.1", "postgres (PostgreSQL) 99999999999999999999", "postgres x 15.1"]
        {
            #expect(PostgresInstallation.parse(text) == nil)
        }
    }

    @Test(.enabled(if: TestEnvironment.hasPostgres, TestEnvironment.noPostgres))
    func installationsAreFound() throws {
        let bin = try #require(TestEnvironment.postgresBin)
        let there = try #require(PostgresInstallation.examine(bin))
        let variable = "PGARCHIVE_POSTGRES_\(there.major.rawValue)"
        #expect(try PostgresInstallation.find(major: there.major, environment: [variable: bin]) == there)
        let absent = try #require(PostgresMajor.allCases.first { $0 != there.major })
        for (major, environment) in [
            (there.major, [variable: "/nowhere"]),
            (absent, ["PGARCHIVE_POSTGRES_\(absent.rawValue)": bin]),
        ] {
            let error = #expect(throws: LinkError.self) {
                try PostgresInstallation.find(major: major, environment: environment)
            }
            #expect(error?.kind == .local)
            #expect(error?.hint != nil)
        }
        #expect(PostgresInstallation.all(environment: ["PATH": bin]).contains { $0.major == there.major })
    }

    @Test func serversGetAnEnvironmentOfTheirOwn() {
        let environment = ServerLaunch.standardEnvironment(of: [
            "LANG": "de_DE.UTF-8", "TZ": "Asia/Tokyo", "PGHOST": "elsewhere", "LD_PRELOAD": "x", "HOME": "/h",
        ])
        #expect(environment["LC_ALL"] == "C")
        #expect(environment["TZ"] == "Asia/Tokyo")
        #expect(environment["HOME"] == "/h")
        #expect(environment["PGHOST"] == nil)
        #expect(environment["LD_PRELOAD"] == nil)
    }
}
