import ArchiveTesting
import Foundation
import Testing

/// docs/tutorial.md, run from top to bottom against a server that pgbench keeps busy.
@Suite(
    "An evening of mistakes",
    .enabled(if: TestEnvironment.hasPostgres, TestEnvironment.noPostgres),
    .keepsEvidence
)
struct EveningScenarios {
    private static let page = URL(fileURLWithPath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
        .deletingLastPathComponent().appending(path: "docs/tutorial.md")

    /// What the page tells to do, in its order.
    private enum Step {
        /// Statements for a database: a block that begins with `-- in NAME`.
        case sql(String, database: String)
        /// A line that begins with `pgarchive`.
        case command(String)
    }

    private static func steps() throws -> [Step] {
        var steps: [Step] = []
        for (number, block) in try String(contentsOf: page, encoding: .utf8).components(separatedBy: "```").enumerated()
        where number % 2 == 1 {
            let lines = block.split(separator: "\n", omittingEmptySubsequences: true).map(String.init)
            if lines.first == "sql", lines.count > 1, lines[1].hasPrefix("-- in ") {
                steps.append(.sql(lines.dropFirst(2).joined(separator: "\n"), database: String(lines[1].dropFirst(6))))
            } else {
                steps += lines.filter { $0.hasPrefix("pgarchive ") }.map { .command($0) }
            }
        }
        return steps
    }

    @Test func itGoesAsTheTutorialSays() throws {
        try TestArchive.with(TestArchive.Options()) { archive in
            try archive.upstream.pgbenchInitialize()
            for database in ["shop", "stock", "crm"] { try archive.upstream.sql("create database \(database)") }
            let load = try archive.upstream.startPgbench(seconds: 3600, clients: 2, rate: 100)
            defer { load.signal(SIGKILL) }
            var evening = Evening(archive: archive)
            let steps = try Self.steps()
            #expect(steps.count == 23, "\(steps)")
            for step in steps {
                switch step {
                case .sql(let text, let database): try evening.run(text, in: database)
                case .command(let line): try evening.run(line)
                }
            }
            #expect(evening.rescued == ["shop", "stock", "crm"])
            #expect(load.isRunning, "pgbench ended: \(load.error)")
        }
    }
}

/// The server, the archive, and what is known so far.
private struct Evening {
    let archive: TestArchive
    /// The rows as pg_dump wrote them before each mistake, by database.
    var dumps: [String: [String]] = [:]
    /// The position that the last `find` showed.
    var event = ""
    /// The databases whose rows are back.
    var rescued: [String] = []

    private static let tables = ["shop": "orders", "stock": "items", "crm": "visits"]

    /// The rows of the table that is lost there, in an order of their own.
    private func dump(_ database: String) throws -> [String] {
        guard let table = Self.tables[database] else { return [] }
        let upstream = archive.upstream
        let text = try TestCommand(
            "\(upstream.bin)/pg_dump",
            ["-a", "-t", table, "-h", upstream.sockets, "-p", "\(upstream.port)", "-U", "postgres", database]
        ).succeed().output
        let lines = text.components(separatedBy: "\n")
        guard let first = lines.firstIndex(where: { $0.hasPrefix("COPY ") }),
            let last = lines[first...].firstIndex(of: "\\.")
        else { throw TestFailure("no rows in \(text)") }
        return lines[(first + 1)..<last].sorted()
    }

    mutating func run(_ text: String, in database: String) throws {
        if ["DROP", "DELETE", "TRUNCATE"].contains(where: text.hasPrefix) { dumps[database] = try dump(database) }
        try archive.upstream.sql(text, database: database)
        let position = TransactionLog.position(try archive.upstream.currentLSN()) ?? .max
        try eventually(within: 120, "it is durable in the archive") { try archive.durable() >= position }
    }

    mutating func run(_ line: String) throws {
        // The page shows the positions of its own evening.
        let line = line.replacing(#/--before 0/[0-9A-F]+/#, with: "--before \(event)")
        if line.contains(" snapshot create") { try archive.replayEverything() }
        let result = try shell(line)
        let words = line.split(separator: " ").map(String.init)
        let database = Self.tables.first { line.contains($0.value) || line.contains($0.key) }?.key ?? ""
        switch words[1] {
        case "find":
            let position = try #require(result.output.firstMatch(of: /undo --event (\S+)/), "\(result)")
            event = String(position.1)
            #expect(result.status == 0)
        case "psql":
            #expect(result.status == 0 && result.output.contains("\(dumps[database]?.count ?? -1)"), "\(result)")
        case "undo" where line.contains("--into"):
            #expect(result.status == 0, "\(result)")
            // The row that came meanwhile is there too.
            let now = try dump(database).filter { !$0.hasPrefix("new-1\t") }
            #expect(now == dumps[database], "\(result)")
            rescued.append(database)
        case "diff":
            #expect(result.status == (database == "stock" ? 10 : 0), "\(result)")
            #expect(result.output.contains(database == "stock" ? "only right: sku=new-1" : "the same"), "\(result)")
        default: #expect(result.status == 0, "\(result)")
        }
    }

    /// A line as somebody types it, in a directory that belongs to them.
    private func shell(_ line: String) throws -> CommandResult {
        let program = URL(fileURLWithPath: try BuiltPrograms.pgarchive()).deletingLastPathComponent().path
        var environment = archive.pgarchive.environment
        environment["PATH"] = "\(program):\(TestCommand.path)"
        var command = TestCommand("/bin/sh", ["-c", line], environment: environment)
        command.workingDirectory = archive.directory.path
        return try command.run(deadline: 240)
    }
}
