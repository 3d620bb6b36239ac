import ArchiveModel
import ArchiveTesting
import Foundation
import Testing
import WALFormat
import WALStore

/// A CREATE TABLESPACE whose record begins in one segment and ends in the next, which neither shows by itself.
@Suite(.enabled(if: TestEnvironment.hasPostgres, TestEnvironment.noPostgres))
struct TablespaceAcrossSegmentsTests {
    private let size: UInt64 = 1 << 20

    @Test(.timeLimit(.minutes(3)), arguments: [StoredSegment.Form.plain, .zstd])
    func isHeldWithTheSecondSegment(form: StoredSegment.Form) throws {
        try TestDirectory.with { directory in
            try TestPostgres.with(in: directory) { server in
                let place = try directory.subdirectory("tablespace")
                let record = try placeAcrossSegments(server, place)
                try server.switchAndArchive()
                let archive = WALDirectory(server.copies, segmentSize: try #require(SegmentSize(bytes: size)))
                let first = SegmentName(
                    timeline: TimelineID(1),
                    containing: record.start,
                    size: archive.segmentSize
                )
                let second = SegmentName(timeline: TimelineID(1), containing: record.end, size: archive.segmentSize)
                if form == .zstd { try archive.compress(first) }
                var request = FetchRequest(
                    archive: server.copies,
                    name: first.description,
                    target: "\(directory.path)/RECOVERYXLOG",
                    segmentSize: archive.segmentSize,
                    waits: true,
                    holdFile: "\(directory.path)/hold"
                )
                request.patienceSeconds = 0.2
                // Without its end the record cannot be replayed.
                #expect(SegmentFetch(request).run { _ in } == .served)
                unlink(request.target)
                request.name = second.description
                guard case .trouble(let trouble, mustAbort: false) = SegmentFetch(request).run(report: { _ in }) else {
                    Issue.record("the tablespace was not noticed")
                    return
                }
                #expect(trouble.kind == .tablespace)
                #expect(trouble.position == record.start)
                #expect(trouble.tablespace?.path == place)
                #expect(!FileManager.default.fileExists(atPath: request.target))
                #expect(FileManager.default.fileExists(atPath: "\(directory.path)/hold"))
                if form == .plain { try checkOtherPlaces(of: first, second, record, archive, request) }
            }
        }
    }

    /// The same where the first segment is still partial, of the parent's timeline, damaged, or away.
    private func checkOtherPlaces(
        of first: SegmentName,
        _ second: SegmentName,
        _ record: WALRecord,
        _ archive: WALDirectory,
        _ request: FetchRequest
    ) throws {
        func kind(_ name: SegmentName) -> FetchTrouble.Kind? {
            var request = request
            request.name = name.description
            guard case .trouble(let trouble, _) = SegmentFetch(request).run(report: { _ in }) else { return nil }
            return trouble.kind
        }
        func path(_ name: some CustomStringConvertible) -> String { "\(archive.path)/\(name)" }
        rename(path(first), path("\(first).partial"))
        #expect(kind(second) == .tablespace)
        rename(path("\(first).partial"), path(first))
        let child = SegmentName(timeline: TimelineID(2), containing: record.end, size: archive.segmentSize)
        try archive.storeHistory(TimelineID(2), text: "1\t\(record.end)\tno recovery target specified\n")
        try TestCommand("/bin/cp", [path(second), path(child)]).succeed()
        #expect(kind(child) == .tablespace)
        let bytes = try Data(contentsOf: URL(fileURLWithPath: path(first)))
        var damaged = bytes
        damaged.resetBytes(in: (damaged.count - 8192)...)
        try SpoiltFile.write(damaged, to: path(first))
        #expect(kind(child) == .corrupt)
        // Then replay begins behind it.
        unlink(path(first))
        #expect(kind(child) == nil)
    }

    /// Writes WAL until the record of a CREATE TABLESPACE lies across the border of two segments.
    private func placeAcrossSegments(_ server: TestPostgres, _ place: String) throws -> WALRecord {
        // The first time whole pages are logged before the record; from then on always the same.
        for _ in 0..<2 { _ = try create(server, place) }
        var before = try create(server, place).distance
        for attempt in 0..<60 {
            // Anywhere in the last bytes of the segment: the header itself is cut in two, or only what follows it.
            let wanted = UInt64(8 + 8 * (attempt % 5))
            try fill(server, untilBytesAreLeft: before + wanted)
            let (record, distance) = try create(server, place)
            if record.start.rawValue / size != (record.end.rawValue - 1) / size {
                return record
            }
            before = distance
        }
        throw TestFailure("no record came to lie across segments")
    }

    /// Creates the tablespace; the record of it, and how far before it the statement began to write.
    private func create(_ server: TestPostgres, _ place: String) throws -> (record: WALRecord, distance: UInt64) {
        _ = try? server.sql("drop tablespace if exists elsewhere")
        let before = try #require(LSN(try server.sql("select pg_current_wal_insert_lsn()")))
        try server.sql("create tablespace elsewhere location '\(place)'")
        let archive = WALDirectory("\(server.data)/pg_wal", segmentSize: try #require(SegmentSize(bytes: size)))
        var found: WALRecord?
        _ = try WALWalk(archive).records(from: before, along: TimelinePath(TimelineID(1))) { record, _, body, major in
            guard case .tablespaceCreate? = WALEvent.decode(record, body: body, major: major) else { return .proceed }
            found = record
            return .stop
        }
        let record = try #require(found)
        return (record, record.start.bytes(since: before))
    }

    /// Writes messages until so many bytes of the current segment are left, as nearly as can be told beforehand.
    private func fill(_ server: TestPostgres, untilBytesAreLeft wanted: UInt64) throws {
        try server.sql("drop tablespace if exists elsewhere")
        for _ in 0..<20 {
            let at = try #require(LSN(try server.sql("select pg_current_wal_insert_lsn()"))).rawValue
            let left = size - at % size
            guard left > wanted + 64 else { return }
            // Of each page the header is lost, of each message its own 64 bytes or so.
            let length = min(left - wanted - 64, 7000)
            let count = max(1, (left - wanted) / 2 / 7100)
            try server.sql(
                """
                select count(pg_logical_emit_message(false, 'f', repeat('x', \(length))))
                  from generate_series(1, \(count))
                """
            )
        }
    }
}
