import ArchiveTesting
import Foundation
import Testing
import WALFormat
import WALStore

/// PostgreSQL itself stops where fetch ends the archive, to the byte.
@Suite(.enabled(if: TestEnvironment.hasPostgres, TestEnvironment.noPostgres))
struct CloneRecoveryLiveTests {
    @Test(.timeLimit(.minutes(5)))
    func stopsExactlyAtEachKindOfEnd() throws {
        try ArchiveCopy.with { copy in
            let original = copy.original
            let standby = try LiveStandby(copy.directory, backup: original.backup, archive: copy.path)
            defer { standby.server.destroy() }
            let records = original.records.filter { $0.start < original.tablespace.start }
            let spanning = records.filter { original.spansSegments($0) }
            // Later ones first come later: a server does not go back.
            let usable = records.dropFirst(200)
            var ends: Set<LSN> = [original.tablespace.start]
            ends.insert(try #require(usable.first { $0.resourceManager == ResourceManager.transaction }).end)
            ends.insert(try #require(usable.first { $0.end.rawValue % 8192 == 0 && !$0.isSegmentSwitch }).end)
            ends.insert(try #require(usable.first { $0.isSegmentSwitch }).end)
            for record in spanning.suffix(4) { ends.formUnion([record.start, record.end]) }
            ends = ends.filter { $0 >= usable[200].end }
            // In every form that a segment can have.
            for (index, segment) in try copy.archive.list().segments.enumerated() where index % 3 == 1 {
                try copy.archive.compress(segment.name)
            }
            for (index, end) in ends.sorted().enumerated() {
                unlink(standby.endFile)
                try standby.restore(
                    [
                        "--path", "1", "--until", end.description, "--end-file", standby.endFile,
                        "--system-identifier", "\(original.systemIdentifier)",
                    ])
                if index == 0 { try standby.server.start() }
                try eventually(within: 60, "replay reached \(end)") { try standby.replayed() == end }
                try eventually(within: 10, "the end is marked at \(end)") {
                    FileManager.default.fileExists(atPath: standby.endFile)
                }
                #expect(try standby.replayed() == end)
            }
            let last = try #require(ends.max())
            #expect(try standby.server.sql("select count(*) from rows where text = 'before the tablespace'") == "1")
            try standby.server.sql("select pg_promote(true, 60)")
            let history = try String(contentsOfFile: "\(standby.server.data)/pg_wal/00000002.history", encoding: .utf8)
            #expect(history.split(separator: "\t").dropFirst().first.map(String.init) == last.description)
        }
    }
}
