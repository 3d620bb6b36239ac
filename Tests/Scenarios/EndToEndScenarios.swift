import ArchiveTesting
import Foundation
import Testing

/// Stream, snapshot, withheld WAL, and exactly the right rows: the whole path, on every kind of filesystem.
@Suite(
    "From a live upstream to a clone at a chosen moment",
    .enabled(if: TestEnvironment.hasPostgres, TestEnvironment.noPostgres),
    .keepsEvidence
)
struct EndToEndScenarios {
    /// Every kind of filesystem with the PostgreSQL of this machine, and other majors where they are named.
    static let variants: [Variant] =
        TestFilesystem.Kind.forContainers.map { Variant(kind: $0, bin: nil) }
        + TestEnvironment.furtherPostgresBins.map { Variant(kind: .plain, bin: $0) }

    struct Variant: Sendable, CustomTestStringConvertible {
        let kind: TestFilesystem.Kind
        /// The programs of another PostgreSQL.
        let bin: String?

        var testDescription: String { kind.rawValue + (bin.map { " with \($0)" } ?? "") }
    }

    @Test(arguments: variants)
    func aCloneHoldsExactlyTheRowsOfItsMoment(_ variant: Variant) throws {
        var options = TestArchive.Options(variant.kind)
        options.upstream.bin = variant.bin
        try TestArchive.with(options) { archive in
            try archive.pgarchive("container", "status")
            let oracle = try Oracle(archive.upstream)
            try oracle.writeRow("before the snapshot")
            try archive.replayEverything()
            _ = try archive.takeSnapshot()

            try oracle.startWriting(seconds: 1, rate: 100).wait()
            let wanted = try oracle.writeRow("the last one wanted")
            let unwanted = try oracle.writeRow("one too many")
            try archive.upstream.sql("create table gone as select 1; drop table gone; delete from oracle where id < 20")
            try archive.switchAndReceive()
            let truth = try oracle.truth()

            // A plan changes nothing, and says where recovery will end.
            let plan = try archive.pgarchive.json("clone", "create", "past", "--at", wanted.after, "--dry-run")
            let stop = plan.find("stop")?.string.flatMap(TransactionLog.position)
            #expect(stop != nil, "\(plan)")
            try #expect(archive.pgarchive("clone", "list", "--quiet").output.isEmpty)

            try archive.pgarchive("clone", "create", "past", "--at", wanted.after, "--start")
            let ids = try archive.query("past", "select id from oracle order by id").split(separator: "\n").compactMap {
                Int($0)
            }
            #expect(ids.last == wanted.id)
            #expect(!ids.contains(unwanted.id))
            // The rows deleted later are there again: the truth knows the living ones, these are checked by number.
            #expect(Set(ids.filter { $0 >= 20 }) == truth.visible(before: (stop ?? 0)))
            try #expect(archive.query("past", "select count(*) from pg_class where relname = 'gone'") == "0")
            // It is a server of its own: writable, and isolated.
            try #expect(archive.query("past", "insert into oracle (note) values ('own') returning 1") == "1")
            try #expect(archive.query("past", "show archive_mode") == "off")
            try archive.finish()
        }
    }

    @Test func latestIncludesTheTailOfTheUnfinishedSegment() throws {
        try TestArchive.with(TestArchive.Options()) { archive in
            let oracle = try Oracle(archive.upstream)
            _ = try archive.takeSnapshot()
            let row = try oracle.writeRow("just now")
            let position = try archive.upstream.currentLSN()
            // No segment switch: the row is in the partial segment only, and durable within moments.
            try eventually(within: 15, "the tail is durable") {
                try archive.durable() >= TransactionLog.position(position) ?? .max
            }
            try archive.pgarchive("clone", "create", "now", "--latest", "--start")
            try #expect(archive.query("now", "select max(id) from oracle") == "\(row.id)")
            try archive.switchAndReceive()
            try archive.finish()
        }
    }
}
