import ArchiveModel
import ArchiveTesting
import Foundation
import Synchronization
import Testing
import WALFormat
import WALStore

/// WAL of a real server, made once for all tests: commits, a record that ends with its page, records across segments,
/// segment switches, and a tablespace at the end.
final class RealArchive: Sendable {
    /// The archive's files as archive_command copied them: tests copy them, and never change them.
    let copies: String
    /// A base backup from before everything.
    let backup: String
    let systemIdentifier: UInt64
    /// Where the first record of the archive begins that the backup needs.
    let start: LSN
    let records: [WALRecord]
    /// The record of CREATE TABLESPACE.
    let tablespace: WALRecord
    let size: SegmentSize
    private let directory: TestDirectory

    static let shared: Result<RealArchive, any Error> = Result { try RealArchive() }

    private init() throws {
        directory = try TestDirectory()
        let size = try #require(SegmentSize(bytes: 1 << 20))
        self.size = size
        copies = try directory.subdirectory("archive")
        backup = "\(directory.path)/backup"
        atexit {
            if case .success(let archive) = RealArchive.shared { archive.directory.remove() }
        }
        let server = try TestPostgres(in: directory)
        defer { server.destroy() }
        try server.start()
        try TestCommand(
            "\(server.bin)/pg_basebackup",
            ["-d", server.replicationConnection, "-D", backup, "-X", "none", "-c", "fast", "--no-sync"]
        ).succeed()
        let identifier = try server.sql("select system_identifier from pg_control_system()")
        systemIdentifier = try #require(UInt64(identifier))
        try Self.write(server, tablespaceDirectory: directory.subdirectory("tablespace"))
        for name in try FileManager.default.contentsOfDirectory(atPath: server.copies).sorted()
        where SegmentName(name) != nil {
            try TestCommand("/bin/cp", ["\(server.copies)/\(name)", "\(copies)/\(name)"]).succeed()
        }
        let label = try String(contentsOfFile: "\(backup)/backup_label", encoding: .utf8)
        let line = try #require(label.split(separator: "\n").first { $0.hasPrefix("START WAL LOCATION: ") })
        start = try #require(line.split(separator: " ").dropFirst(3).first.flatMap { LSN(String($0)) })
        var records: [WALRecord] = []
        var tablespace: WALRecord?
        let end = try WALWalk(WALDirectory(copies, segmentSize: size))
            .records(from: start, along: TimelinePath(TimelineID(1))) { record, _, body, major in
                records.append(record)
                if case .tablespaceCreate? = WALEvent.decode(record, body: body, major: major) { tablespace = record }
                return .proceed
            }
        guard case .endOfArchive(_, _, nil) = end else { throw TestFailure("the walk ended with \(end)") }
        self.records = records
        self.tablespace = try #require(tablespace)
    }

    private static func write(_ server: TestPostgres, tablespaceDirectory: String) throws {
        try server.sql("create table rows (number serial, text text)")
        // Some of these records end with a page, by chance of one in a thousand each.
        try server.sql(
            """
            select count(pg_logical_emit_message(false, 'fill', repeat('x', (random() * 500)::int)))
              from generate_series(1, 8000)
            """
        )
        try server.sql("insert into rows (text) select repeat('y', 200) from generate_series(1, 3000)")
        // Goes over three segments.
        try server.sql("select pg_logical_emit_message(false, 'long', repeat('z', 2500000))")
        try server.sql("insert into rows (text) values ('after the long one')")
        try server.switchSegment()
        for number in 1...40 {
            try server.sql("insert into rows (text) select 'row \(number)' from generate_series(1, 50)")
        }
        try server.switchSegment()
        try server.sql("insert into rows (text) values ('before the tablespace')")
        try server.sql("create tablespace elsewhere location '\(tablespaceDirectory)'")
        try server.sql("insert into rows (text) values ('after the tablespace')")
        try server.switchAndArchive()
    }

    func name(of position: LSN) -> SegmentName {
        SegmentName(timeline: TimelineID(1), containing: position, size: size)
    }

    func bytes(of name: SegmentName) throws -> Data {
        try Data(contentsOf: URL(fileURLWithPath: "\(copies)/\(name)"))
    }

    /// The last byte's position of a record lies in this segment, not that of its end.
    func lastSegment(of record: WALRecord) -> SegmentName { name(of: LSN(record.end.rawValue - 1)) }

    func spansSegments(_ record: WALRecord) -> Bool { name(of: record.start) != lastSegment(of: record) }
}

/// A copy of the archive that a test may change, and a place to fetch to.
struct ArchiveCopy {
    let original: RealArchive
    let directory: TestDirectory
    let path: String
    let target: String

    var archive: WALDirectory { WALDirectory(path, segmentSize: original.size) }

    static func with<Result>(
        on kind: TestFilesystem.Kind = .plain,
        _ body: (ArchiveCopy) throws -> Result
    ) throws -> Result {
        let original = try RealArchive.shared.get()
        return try TestDirectory.with { directory in
            try TestFilesystem.with(kind, in: directory, megabytes: 400) { filesystem in
                let place = kind == .plain ? directory.path : filesystem.path
                let path = "\(place)/archive"
                try TestCommand("/bin/cp", ["-a", "\(original.copies)/.", path]).succeed()
                try TestCommand("/bin/mkdir", ["-p", "\(place)/data/pg_wal"]).succeed()
                let target = "\(place)/data/pg_wal/RECOVERYXLOG"
                return try body(
                    ArchiveCopy(original: original, directory: directory, path: path, target: target)
                )
            }
        }
    }

    func request(_ name: some CustomStringConvertible, until: LSN? = nil) -> FetchRequest {
        var request = FetchRequest(
            archive: path,
            name: name.description,
            target: target,
            segmentSize: original.size,
            path: TimelinePath(TimelineID(1)),
            until: until,
            systemIdentifier: original.systemIdentifier
        )
        request.patienceSeconds = 0.3
        return request
    }

    /// Runs a fetch in this process.
    func fetch(_ request: FetchRequest) -> (outcome: FetchOutcome, said: [String]) {
        var said: [String] = []
        unlink(target)
        let outcome = SegmentFetch(request).run { said.append($0) }
        return (outcome, said)
    }

    var fetched: Data? { FileManager.default.contents(atPath: target) }

    /// Puts a history file there as the archive's owner would: whole at once.
    func arrive(_ timeline: TimelineID, forkingAt fork: LSN) throws {
        let aside = "\(directory.path)/aside.history"
        try SpoiltFile.write("1\t\(fork)\tno recovery target specified\n", to: aside)
        rename(aside, file(timeline.historyFileName))
    }

    func file(_ name: String) -> String { "\(path)/\(name)" }

    /// Changes a byte of a file of the archive.
    func flip(_ name: SegmentName, at offset: Int) throws {
        var bytes = try original.bytes(of: name)
        bytes[offset] ^= 0x10
        try SpoiltFile.write(bytes, to: file(name.description))
    }
}
