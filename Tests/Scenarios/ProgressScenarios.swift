import ArchiveTesting
import Foundation
import Testing

/// What a user sees of long work while it lasts, and when it fails.
@Suite(
    "Long work in sight",
    .enabled(if: TestEnvironment.hasPostgres, TestEnvironment.noPostgres),
    .keepsEvidence
)
struct ProgressScenarios {
    /// A segment is lost after the clone was planned, so that recovery comes to a stand half-way.
    @Test func aRecoveryShowsHowFarItIsAndWhyItFailed() throws {
        try TestArchive.with(TestArchive.Options()) { archive in
            _ = try archive.takeSnapshot()
            let before = Set(archive.archivedSegments())
            try archive.upstream.sql("create table t as select n, repeat('x', 500) from generate_series(1, 20000) n")
            try archive.replayEverything()
            try archive.pgarchive("clone", "create", "far", "--latest")
            let needed = archive.archivedSegments().filter { !before.contains($0) }
            #expect(needed.count > 8)
            let lost = needed[needed.count / 2]
            let aside = "\(archive.directory.path)/\(lost)"
            try TestCommand("/bin/mv", ["\(archive.walArchive)/\(lost)", aside]).succeed()

            let start = try archive.pgarchive.command(["clone", "start", "far"])
            // On a terminal the line is drawn anew again and again.
            let script = "script -qec '\(start.executable) clone start far' /dev/null"
            var terminal = TestCommand("/bin/sh", ["-c", script], environment: start.environment)
            terminal.user = start.user
            let shown = try terminal.run(deadline: 90)
            #expect(shown.status == 1, "\(shown)")
            let drawn = shown.output.matches(of: /recovering to .* of .* \(([0-9]+)%\)/).compactMap { Int($0.1) }
            #expect(drawn.contains { $0 > 0 && $0 < 100 }, "\(shown)")
            #expect(shown.output.contains("error: clone 'far' ended while it recovered"), "\(shown)")
            // PostgreSQL's own word, and that of what it runs to get its WAL.
            #expect(shown.output.contains("FATAL"), "\(shown)")
            #expect(shown.output.contains("\(lost) is not in the archive"), "\(shown)")
            #expect(shown.output.contains("hint: "), "\(shown)")
            try #expect(archive.pgarchive.run("clone", "status", "far").status == 1)

            // Nothing is lost but the attempt.
            try TestCommand("/bin/mv", [aside, "\(archive.walArchive)/\(lost)"]).succeed()
            try archive.pgarchive("clone", "start", "far")
            try #expect(archive.query("far", "select count(*) from t") == "20000")
            try archive.finish()
        }
    }

    /// Init, too, shows on a terminal what it is at and how much of the copy is done.
    @Test func initShowsHowFarItIs() throws {
        try TestArchive.with(TestArchive.Options(), initialise: false) { archive in
            let start = try archive.pgarchive.command(archive.initArguments)
            let words = ([start.executable] + start.arguments).map { "'\($0)'" }.joined(separator: " ")
            var terminal = TestCommand("/usr/bin/script", ["-qec", words, "/dev/null"], environment: start.environment)
            terminal.user = start.user
            let shown = try terminal.succeed(deadline: 180).output
            #expect(shown.contains(/copying the upstream's data .* of .* \([0-9]+%\)/), "\(shown)")
            #expect(shown.contains("starting the standby"), "\(shown)")
            try archive.usePortsOfItsOwn()
            try archive.switchAndReceive()
            try archive.finish()
        }
    }
}
