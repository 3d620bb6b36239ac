import ArchiveTesting
import Foundation
import Platform
import Testing

@testable import pgarchive

/// Logs of a part, shown and followed by the built program.
struct LogViewTests {
    /// A container's directory with just what `wal_archive log` looks at.
    private func withLog(_ body: (_ log: String, _ program: (String...) throws -> TestCommand) throws -> Void) throws {
        try TestDirectory.with { directory in
            let root = try directory.subdirectory("one")
            _ = try directory.subdirectory("one/log")
            try write(
                """
                {"createdAt": "2026-11-21T08:00:00.000000Z", "driver": "copy", "format": 1, "major": 15, "name": "one",
                 "owner": "\(TestEnvironment.owner.name)", "segmentBytes": 16777216, "superuser": "postgres",
                 "systemIdentifier": 1}
                """,
                to: "\(root)/container.json"
            )
            try write("", to: "\(root)/pgarchive.toml")
            try body("\(root)/log/wal_archive.log") { words in
                TestCommand(try BuiltPrograms.pgarchive(), words, environment: ["PGARCHIVE": root])
            }
        }
    }

    private func write(_ text: String, to path: String) throws {
        // In place: the same file, cut and written anew.
        try Descriptor.open(path, O_WRONLY | O_CREAT | O_TRUNC, mode: 0o644).writeAll(Array(text.utf8))
    }

    private func append(_ text: String, to path: String) throws {
        try Descriptor.open(path, O_WRONLY | O_APPEND).writeAll(Array(text.utf8))
    }

    @Test func aWholeLogGoesToAPipe() throws {
        try withLog { log, program in
            let missing = try program("wal_archive", "log").run()
            #expect(missing.status == 6 && missing.error.contains("hint: "), "\(missing)")
            let text = (1...5000).map { "line \($0)\n" }.joined()
            try write(text, to: log)
            #expect(try program("wal_archive", "log").run().output == text)
            #expect(try program("wal", "log", "--container", "\(log)/../..").run().output == text)
        }
    }

    @Test func followingShowsTheEndAndSurvivesRotation() throws {
        try withLog { log, program in
            try write((1...30).map { "old \($0)\n" }.joined(), to: log)
            let following = try program("wal_archive", "log", "-f").start()
            func waitFor(_ text: String) throws {
                try eventually("'\(text)' is shown") { following.output.contains(text) }
            }
            try waitFor("old 30\n")
            #expect(following.output.hasPrefix("old 21\n"))
            try append("added\n", to: log)
            try waitFor("added\n")
            // Moved away and made anew, as logrotate does it.
            try FileManager.default.moveItem(atPath: log, toPath: "\(log).1")
            try write("after the move\n", to: log)
            try waitFor("after the move\n")
            // Cut and written again, as PostgreSQL does it after a week.
            try write("short\n", to: log)
            try waitFor("short\n")
            following.signal(SIGTERM)
            _ = try following.wait(deadline: 10)
        }
    }

    @Test func followingEndsWithItsReader() throws {
        try withLog { log, program in
            try write("one\ntwo\n", to: log)
            let command = try program("wal_archive", "log", "-f")
            let script = "exec \(command.executable) wal_archive log -f | head -n 1"
            var shell = TestCommand("/bin/sh", ["-c", script], environment: command.environment)
            shell.user = command.user
            let result = try shell.run(deadline: 20)
            #expect(result.text == "one", "\(result)")
        }
    }

    @Test func aPagerIsForTerminals() throws {
        try withLog { log, program in
            try write("a line\n", to: log)
            var command = try program("wal_archive", "log")
            command.environment["PAGER"] = "sed 's/^/paged: /'"
            #expect(try command.run().output == "a line\n")
            let script = "script -qec '\(command.executable) wal_archive log' /dev/null"
            var shell = TestCommand("/bin/sh", ["-c", script], environment: command.environment)
            shell.user = command.user
            #expect(try shell.run(deadline: 20).output.contains("paged: a line"))
        }
    }
}
