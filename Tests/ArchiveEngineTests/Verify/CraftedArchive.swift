import ArchiveEngine
import ArchiveModel
import ArchiveTesting
import Foundation
import Testing
import WALFormat
import WALStore

/// An archive of crafted WAL in segments of 1 MB, with records across pages and segments, and a commit now and then.
struct CraftedArchive {
    let path: String
    var craft: WALCraft
    var random: SeededNumbers
    private var transaction: UInt32 = 100

    static let size = SegmentSize(bytes: 1 << 20) ?? .standard
    static let start = LSN(5 << 20)
    var size: SegmentSize { Self.size }

    init(_ path: String, seed: UInt64 = 1) throws {
        self.path = path
        craft = WALCraft(start: Self.start, segmentSize: Self.size)
        random = SeededNumbers(seed: seed)
        try FileManager.default.createDirectory(atPath: path, withIntermediateDirectories: true)
    }

    static func with<Result>(
        segments: Int = 6,
        seed: UInt64 = 1,
        _ body: (CraftedArchive) throws -> Result
    ) throws -> Result {
        try TestDirectory.with { directory in
            var archive = try CraftedArchive("\(directory.path)/archive", seed: seed)
            archive.grow(to: Self.start.advanced(by: UInt64(segments) << 20))
            try archive.write()
            return try body(archive)
        }
    }

    /// Records of many lengths until `position` is passed, the last of them wholly.
    mutating func grow(to position: LSN) {
        while craft.position < position {
            transaction += 1
            switch random.next(100) {
            case 0: craft.filler(byteCount: 24 + random.next(200_000))
            case 1...20: craft.commit(transaction, at: Self.time(transaction))
            default: craft.filler(byteCount: 24 + random.next(3000))
            }
        }
    }

    static func time(_ transaction: UInt32) -> PostgresTime {
        PostgresTime(rawValue: 800_000_000_000_000 + Int64(transaction) * 1_000_000)
    }

    func name(_ number: UInt64, _ timeline: TimelineID? = nil) -> SegmentName {
        SegmentName(timeline: timeline ?? craft.timeline, number: number, size: size)
    }

    func name(of position: LSN) -> SegmentName { name(size.number(of: position)) }

    func file(_ name: some CustomStringConvertible) -> String { "\(path)/\(name)" }

    /// The first segment's number, and that of the one that is not full.
    var first: UInt64 { size.number(of: craft.start) }
    var last: UInt64 { size.number(of: craft.position) }

    /// Writes the segments from this number on: all but the last complete.
    func write(from number: UInt64 = 0, timeline: TimelineID? = nil) throws {
        for number in max(first, number)...last {
            let bytes = content(number)
            let suffix = bytes.count < Int(size.bytes) ? ".partial" : ""
            try Data(bytes).write(to: URL(fileURLWithPath: file("\(name(number, timeline))\(suffix)")))
        }
    }

    func content(_ number: UInt64) -> ArraySlice<UInt8> {
        let begin = Int(size.start(of: number).bytes(since: craft.start))
        return craft.bytes[begin..<min(craft.bytes.count, begin + Int(size.bytes))]
    }

    func put(_ text: String, _ name: String) throws {
        try Data(text.utf8).write(to: URL(fileURLWithPath: file(name)))
    }

    func change(_ name: some CustomStringConvertible, _ body: (inout Data) -> Void) throws {
        var data = try Data(contentsOf: URL(fileURLWithPath: file(name)))
        body(&data)
        try SpoiltFile.write(data, to: file(name))
    }

    func verify(deep: Bool = true) throws -> VerifyReport {
        try Verification(directory: path).run(deep: deep)
    }

    /// The start of the last record that begins before `position`.
    func record(before position: LSN) -> WALRecord? { craft.records.last { $0.start < position } }
}

/// The same numbers for the same seed.
struct SeededNumbers: RandomNumberGenerator {
    private var state: UInt64

    init(seed: UInt64) { state = seed &* 0x9E37_79B9_7F4A_7C15 | 1 }

    mutating func next() -> UInt64 {
        state ^= state << 13
        state ^= state >> 7
        state ^= state << 17
        return state
    }

    mutating func next(_ limit: Int) -> Int { Int(truncatingIfNeeded: next() >> 33) % max(1, limit) }
}
