import ArchiveTesting
import Foundation
import Platform
import PostgresLink
import Testing

@testable import PostgresLink

@Suite("Base backup", .enabled(if: TestEnvironment.hasPostgres, TestEnvironment.noPostgres))
struct BaseBackupTests {
    private static let access = """
        local all all trust
        local replication all trust
        host replication copier 127.0.0.1/32 scram-sha-256
        """

    private func withUpstream(
        settings: [String: String] = [:],
        _ body: (TestPostgres, BaseBackupTool) throws -> Void
    ) throws {
        var options = TestPostgres.Options()
        options.settings = ["listen_addresses": "'127.0.0.1'"].merging(settings) { $1 }
        options.hostBasedAuthentication = Self.access
        try TestDirectory.with { directory in
            try TestPostgres.with(in: directory, options: options) { upstream in
                try upstream.sql("CREATE ROLE copier LOGIN REPLICATION PASSWORD 'the p''w'")
                let connection = try ConnectionString("host=127.0.0.1 port=\(upstream.port) user=copier")
                    .merging(["password": "the p'w"])
                let tool = BaseBackupTool(
                    installation: try LocalServerFixture.installation,
                    upstream: connection,
                    directory: "\(upstream.root)/copy of it",
                    checkpoint: .fast,
                    syncs: false,
                    user: try LocalServerFixture.owner
                )
                try body(upstream, tool)
            }
        }
    }

    @Test(.keepsEvidence) func tablespacesInOddPathsAreMapped() throws {
        try withUpstream { upstream, tool in
            let there = "\(upstream.root)/their space=1"
            let here = "\(upstream.root)/our space=2, \"x\""
            try TestCommand("/bin/mkdir", [there]).succeed()
            try upstream.sql("CREATE TABLESPACE s LOCATION '\(there)'")
            try upstream.sql("CREATE TABLE t TABLESPACE s AS SELECT generate_series(1, 10000) AS n")
            let oid = try upstream.sql("SELECT oid FROM pg_tablespace WHERE spcname = 's'")
            var tool = tool
            tool.tablespaces = [(from: there, to: here)]
            var seen: [BaseBackupProgress] = []
            var shown: [String] = []
            try tool.run { progress in
                seen.append(progress)
                shown += ProcessTable.living(in: upstream.root).flatMap(\.arguments)
            }
            #expect(seen.first?.phase == .waitingForCheckpoint)
            #expect(seen.last?.phase == .finishing)
            #expect((seen.last?.bytesTotal ?? 0) > 10_000_000)
            #expect(seen.last.map { $0.bytesDone >= $0.bytesTotal / 2 } ?? false)
            #expect(shown.contains { $0.contains("pg_basebackup") })
            #expect(!shown.contains { $0.contains("the p") }, "the password is on no command line")
            #expect(try FileTree.linkTarget("\(tool.directory)/pg_tblspc/\(oid)") == here)
            #expect(FileTree.exists("\(tool.directory)/backup_label"))
            #expect(try FileTree.list("\(tool.directory)/pg_wal").filter { $0.utf8.count == 24 }.isEmpty)
            let archived = try FileTree.list("\(tool.directory)/pg_wal")
            #expect(archived.contains("archive_status"))
        }
    }

    /// A backup without WAL would never end there.
    @Test(.keepsEvidence) func aBrokenArchiveCommandHoldsNothingUp() throws {
        try withUpstream(settings: ["archive_command": "'false'"]) { _, tool in
            var tool = tool
            tool.upstreamArchives = true
            let seconds = try measured { try tool.run() }
            #expect(seconds < 30)
            let left = try FileTree.list("\(tool.directory)/pg_wal")
            #expect(left.contains("archive_status"))
            #expect(try left.allSatisfy { try FileTree.kind("\(tool.directory)/pg_wal/\($0)") == .directory })
        }
    }

    @Test(.keepsEvidence) func itCanBeInterrupted() throws {
        try withUpstream { upstream, tool in
            try upstream.sql("CREATE TABLE t AS SELECT generate_series(1, 100000) AS n")
            var tool = tool
            tool.checkpoint = .spread
            let event = try EventDescriptor()
            let error = #expect(throws: LinkError.self) {
                try tool.run(interrupt: event.raw) { _ in event.signal() }
            }
            #expect(error?.kind == .cancelled)
            #expect(ProcessTable.living(in: tool.directory).isEmpty)
            try eventually("the upstream's end is gone") {
                try upstream.sql("SELECT count(*) FROM pg_stat_replication") == "0"
            }
        }
    }

    @Test(.keepsEvidence) func aFailureGivesTheToolsWords() throws {
        try withUpstream { _, tool in
            var tool = tool
            tool.upstream = tool.upstream.merging(["password": "another"])
            let error = #expect(throws: LinkError.self) { try tool.run() }
            #expect(error?.kind == .server)
            #expect(error?.log.contains { $0.contains("copier") } ?? false)
            tool.upstream = tool.upstream.merging(["sslpassword": "x"])
            #expect(throws: LinkError.self) { try tool.run() }
        }
    }

    @Test func progressIsReadByItsNumbers() {
        var output = BaseBackupOutput()
        output.take("waiting for checkpoint\n".utf8)
        #expect(output.progress.phase == .waitingForCheckpoint)
        output.take("     0/30000 kB (0%), 0/2 tablespaces\r 15000/30000 ".utf8)
        #expect(output.progress == BaseBackupProgress(phase: .copying, bytesDone: 0, bytesTotal: 30000 << 10))
        output.take("kB (50%), 1/2 Tablespaces (…)\r".utf8)
        #expect(output.progress.bytesDone == 15000 << 10)
        output.take("30001/30001 Ko (100%), 2/2 espaces\n".utf8)
        #expect(output.progress.phase == .finishing)
        output.take("pg_basebackup: error: x\n99999999999999999999/1 kB (0%), 0/1 t\n\n".utf8)
        #expect(output.words.first == "waiting for checkpoint")
        #expect(output.words.count == 3)
    }
}
