import Glibc
import Platform
import WALFormat

/// The segment that is to be stored, opened and looked at: its size and its first page.
struct PushedSegment {
    let name: SegmentName
    let isPartial: Bool
    let path: String
    let size: SegmentSize
    let start: LSN
    let mode: UInt32
    let systemIdentifier: UInt64
    /// Of the first page: that of the timeline on which it was begun.
    let firstTimeline: TimelineID
    private let device: UInt64
    private let inode: UInt64

    var end: LSN { start.advanced(by: size.bytes) }

    /// - Throws: `PushFailure` for what is no such segment; `SystemError`.
    init(_ name: SegmentName, isPartial: Bool, path: String, expectedSize: SegmentSize?) throws {
        self.name = name
        self.isPartial = isPartial
        self.path = path
        let file = try Descriptor.open(path, O_RDONLY)
        let status = try file.status()
        guard status.st_mode & S_IFMT == S_IFREG else {
            throw PushFailure(.usage, "\(path) is no file", hint: "give %p as the last argument")
        }
        mode = status.st_mode & 0o666 | 0o600
        device = UInt64(status.st_dev)
        inode = UInt64(status.st_ino)
        let header = try file.bytes(count: SegmentReader.headerBytes)
        guard header.contains(where: { $0 != 0 }) else { throw Self.damaged(path, "it begins with zeros") }
        let named = Self.segmentSize(header)
        guard let size = expectedSize ?? named else { throw Self.damaged(path, "its first page is none of WAL") }
        guard let start = name.start(size: size) else {
            throw PushFailure(
                .refused,
                "no segment of \(size) has the name \(name)",
                hint: "give --segment-size as the server shows wal_segment_size, in bytes"
            )
        }
        self.size = size
        self.start = start
        var scanner = SegmentScanner(startingAt: start, segmentSize: size, expectation: .init(timeline: name.timeline))
        header.withUnsafeBytes { scanner.consume($0) }
        switch scanner.fault?.kind {
        case nil: break
        case .badSegmentSize(let found):
            throw PushFailure(
                .refused,
                "\(path) is of a cluster with segments of \(found) bytes, not of \(size.bytes)",
                hint: "give --segment-size as the server shows wal_segment_size, in bytes"
            )
        case .badTimeline(let found):
            throw PushFailure(
                .refused,
                "\(path) is of timeline \(found), which timeline \(name.timeline) does not come from",
                hint: "see how the file came into pg_wal"
            )
        default: throw Self.damaged(path, scanner.fault?.description ?? "")
        }
        guard let systemIdentifier = scanner.systemIdentifier, let firstTimeline = scanner.pageTimeline else {
            throw Self.damaged(path, "it ends within its first page")
        }
        self.systemIdentifier = systemIdentifier
        self.firstTimeline = firstTimeline
        guard UInt64(max(0, Int64(status.st_size))) == size.bytes else {
            throw Self.damaged(path, "it has \(status.st_size) bytes instead of \(size.bytes)")
        }
    }

    /// A reader of it from its first byte on.
    func reader() throws -> SegmentReader {
        try SegmentReader(
            StoredSegment(name: name, form: isPartial ? .partial : .plain, bytes: size.bytes),
            path: path,
            start: start
        )
    }

    /// Whether this is the very file at `other`.
    func isFile(_ other: String) -> Bool {
        guard let status = try? FileTree.status(other) else { return false }
        return status.device == device && status.inode == inode
    }

    static func damaged(_ path: String, _ reason: String) -> PushFailure {
        PushFailure(
            .damaged,
            "\(path) is not stored: \(reason)",
            hint: "replay would end there; where the server's own disk is damaged, take a new base backup"
        )
    }

    /// xlp_seg_size of the long page header (xlog_internal.h).
    private static func segmentSize(_ header: [UInt8]) -> SegmentSize? {
        guard header.count >= SegmentReader.headerBytes else { return nil }
        return SegmentSize(bytes: header[32..<36].reversed().reduce(UInt64(0)) { $0 << 8 | UInt64($1) })
    }
}
