import CZstd
import Foundation
import Testing
import WALFormat

/// What `scripts/make-wal-fixtures` stored of one major's server.
struct Fixture: Sendable, CustomTestStringConvertible {
    struct Missing: Error {
        let what: String
    }

    /// A record as pg_waldump printed it.
    struct DumpedRecord: Hashable {
        let start: LSN
        let previous: LSN
        let totalLength: UInt32
        let manager: String
        let transactionID: UInt32
        /// Empty for records that no event comes from.
        let description: String
    }

    static let size = SegmentSize(bytes: 1 << 20) ?? .standard
    static let all = PostgresMajor.allCases.map { Fixture(major: $0) }

    let major: PostgresMajor

    var testDescription: String { "PostgreSQL \(major.rawValue)" }

    private var directory: String {
        (Bundle.module.resourcePath ?? "") + "/Fixtures/\(major.rawValue)/"
    }

    func text(_ name: String) throws -> String {
        guard let data = FileManager.default.contents(atPath: directory + name) else { throw Missing(what: name) }
        return String(decoding: data, as: UTF8.self)
    }

    func decompressed(_ name: String, limit: Int = 2 << 20) throws -> [UInt8] {
        guard let data = FileManager.default.contents(atPath: directory + name) else { throw Missing(what: name) }
        var result = [UInt8](repeating: 0, count: limit)
        let count = data.withUnsafeBytes { source in
            result.withUnsafeMutableBytes { target in
                ZSTD_decompress(target.baseAddress, limit, source.baseAddress, source.count)
            }
        }
        guard ZSTD_isError(count) == 0 else { throw Missing(what: "\(name): cannot be decompressed") }
        result.removeLast(limit - count)
        return result
    }

    func segmentNames(timeline: UInt32) throws -> [SegmentName] {
        try FileManager.default.contentsOfDirectory(atPath: directory).compactMap { file -> SegmentName? in
            guard case .compressedSegment(let name, _)? = ArchiveFileName(file) else { return nil }
            return name.timeline == TimelineID(timeline) ? name : nil
        }
        .sorted { $0.description < $1.description }
    }

    /// The timeline's segments in one piece, with the address of the first byte.
    func wal(timeline: UInt32) throws -> (start: LSN, bytes: [UInt8]) {
        let names = try segmentNames(timeline: timeline)
        guard let start = names.first?.start(size: Self.size) else { throw Missing(what: "segments") }
        return (start, try names.flatMap { try decompressed("\($0).zst") })
    }

    func dump(timeline: UInt32) throws -> [DumpedRecord] {
        let name = TimelineID(timeline).hexadecimalName + ".records.zst"
        return try String(decoding: decompressed(name), as: UTF8.self).split(separator: "\n").map { line in
            let fields = line.split(separator: "\t", omittingEmptySubsequences: false).map(String.init)
            guard fields.count >= 6, let start = LSN(fields[0]), let previous = LSN(fields[1]),
                let length = UInt32(fields[2]), let transaction = UInt32(fields[4])
            else { throw Missing(what: "sense in \(line)") }
            return DumpedRecord(
                start: start,
                previous: previous,
                totalLength: length,
                manager: fields[3],
                transactionID: transaction,
                description: fields[5]
            )
        }
    }
}

/// A scan with all that a visitor saw of it.
struct Scan: Equatable {
    struct Seen: Equatable {
        let record: WALRecord
        let body: [UInt8]
    }

    var seen: [Seen] = []
    var scanner: SegmentScanner

    init(_ scanner: SegmentScanner) {
        self.scanner = scanner
    }

    mutating func feed(_ bytes: some Collection<UInt8>) {
        feed(Array(bytes)) { _ in .max }
    }

    /// Feeds the bytes in chunks; `next` gives the size of the one at an offset.
    mutating func feed(_ bytes: [UInt8], chunk next: (Int) -> Int) {
        var seen = seen
        bytes.withUnsafeBytes { all in
            var offset = 0
            while offset < all.count {
                let end = offset + min(max(1, next(offset)), all.count - offset)
                scanner.consume(UnsafeRawBufferPointer(rebasing: all[offset..<end])) { record, body in
                    seen.append(Seen(record: record, body: Array(body)))
                    return .proceed
                }
                offset = end
            }
        }
        self.seen = seen
    }

    static func == (left: Scan, right: Scan) -> Bool {
        left.seen == right.seen && left.scanner.position == right.scanner.position
            && left.scanner.recordEnd == right.scanner.recordEnd && left.scanner.fault == right.scanner.fault
            && left.scanner.openRecordStart == right.scanner.openRecordStart
            && left.scanner.lastRecordStart == right.scanner.lastRecordStart
            && left.scanner.major == right.scanner.major
    }
}
