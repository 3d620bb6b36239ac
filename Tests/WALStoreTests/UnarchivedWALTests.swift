import ArchiveTesting
import Foundation
import Testing
import WALFormat
import WALStore

/// WAL of a crashed server's pg_wal, taken from where the archive ends.
@Suite(.enabled(if: TestEnvironment.hasPostgres, TestEnvironment.noPostgres))
struct UnarchivedWALTests {
    /// An archive with the first `count` segments, and a pg_wal with all of them.
    private func with(_ count: Int, _ body: (ArchiveCopy, UnarchivedWAL, [SegmentName]) throws -> Void) throws {
        try ArchiveCopy.with { copy in
            let names = try copy.archive.list().segments.map(\.name)
            for name in names[count...] { unlink(copy.file("\(name)")) }
            let source = try copy.directory.subdirectory("pg_wal")
            try TestCommand("/bin/cp", ["-a", "\(copy.original.copies)/.", source]).succeed()
            let unarchived = UnarchivedWAL(
                from: source,
                into: copy.archive,
                systemIdentifier: copy.original.systemIdentifier
            )
            try body(copy, unarchived, names)
        }
    }

    /// At a segment's border, also within a record that goes over several; nothing is changed by the look.
    @Test(arguments: 1...8)
    func goesOnWhereTheArchiveEnds(count: Int) throws {
        try with(count) { copy, unarchived, names in
            try #require(count < names.count)
            let found = try unarchived.look()
            try #expect(copy.archive.list().segments.count == count)
            var seen: [LSN] = []
            _ = try unarchived.records(of: found) { record, _, _, _ in
                seen.append(record.start)
                return .proceed
            }
            let end = try #require(copy.original.records.last).end
            #expect(found.to == end)
            let isSame = seen == copy.original.records.filter { $0.end > found.from }.map(\.start)
            // Where nothing of the last segment says where its record began, only the whole can be read.
            #expect(isSame == found.goesOnFromRecord)
            try unarchived.take(found)
            for name in names where try name != #require(names.last) {
                #expect(
                    FileManager.default.contents(atPath: copy.file("\(name)")) == (try copy.original.bytes(of: name))
                )
            }
            #expect(try unarchived.look().isEmpty)
        }
    }

    /// What would be archived for good under names that another server's WAL has by right.
    @Test func aServerThatWentItsOwnWayIsRefused() throws {
        try with(3) { copy, unarchived, names in
            let last = "\(copy.directory.path)/pg_wal/\(names[2])"
            var bytes = try copy.original.bytes(of: names[2])
            bytes[500_000] ^= 1
            try SpoiltFile.write(bytes, to: last)
            #expect(throws: UnarchivedWAL.Refusal.self) { try unarchived.look() }
            // What another server's pg_wal does not have any more cannot be compared.
            unlink(last)
            try #expect(!unarchived.look().isEmpty)
        }
    }

    /// The same, where it has recycled the segments before: its first record follows another than the archive has.
    @Test func theFirstRecordsLinkIsComparedAtABorder() throws {
        try TestDirectory.with { directory in
            let server = try TestPostgres(in: directory)
            defer { server.destroy() }
            try server.start()
            try server.sql("create table t (n int)")
            try server.switchSegment()
            try server.stop()
            let copy = "\(directory.path)/copy"
            try TestCommand("/bin/cp", ["-a", server.data, copy]).succeed()

            let archive = try directory.subdirectory("archive")
            try server.start()
            try server.sql("insert into t values (1)")
            let name = try server.sql("select pg_walfile_name(pg_current_wal_lsn())")
            let identifier = try server.sql("select system_identifier from pg_control_system()")
            try server.switchSegment()
            try server.stop()
            try TestCommand("/bin/cp", ["\(server.copies)/\(name)", archive]).succeed()

            // The copy, started by mistake.
            try TestCommand("/bin/sh", ["-c", "rm -rf '\(server.data)'; mv '\(copy)' '\(server.data)'"]).succeed()
            try server.start()
            try server.sql("insert into t select generate_series(1, 5000)")
            try server.switchSegment()
            try server.sql("insert into t values (2)")
            try server.killHard()
            try TestCommand("/bin/sh", ["-c", "rm -f '\(server.data)/pg_wal/\(name)'"]).succeed()

            let size = try #require(SegmentSize(bytes: 1 << 20))
            let unarchived = UnarchivedWAL(
                from: "\(server.data)/pg_wal",
                into: WALDirectory(archive, segmentSize: size),
                systemIdentifier: try #require(UInt64(identifier))
            )
            let end = try #require(SegmentName(name)?.start(size: size)).advanced(by: size.bytes)
            do {
                let found = try unarchived.look()
                Issue.record("taken would be \(found.from) to \(found.to)")
            } catch UnarchivedWAL.Refusal.differs(let place) {
                #expect(place >= end && place < end.advanced(by: 8192))
            }
        }
    }
}
