import Glibc
import WALFormat

/// Where two copies of a segment begin to differ.
struct SegmentDifference {
    /// The address of the first byte that is not the same in both.
    let position: LSN
    /// That byte is beyond the end of the second one.
    let secondEnds: Bool

    /// Compares from where both readers are; nil when all is the same.
    static func first(_ one: SegmentReader, _ other: SegmentReader) throws -> SegmentDifference? {
        try withSegmentBuffer { left in
            try withSegmentBuffer { right in
                while true {
                    let position = one.position
                    let count = try one.read(into: left)
                    let otherCount = try other.read(into: right)
                    let common = min(count, otherCount)
                    if let same = sameBytes(left, right, count: common) {
                        return SegmentDifference(position: position.advanced(by: UInt64(same)), secondEnds: false)
                    }
                    if count != otherCount {
                        return SegmentDifference(
                            position: position.advanced(by: UInt64(common)),
                            secondEnds: otherCount < count
                        )
                    }
                    if count == 0 { return nil }
                }
            }
        }
    }

    /// How many bytes are the same before the first that is not; nil when all are.
    private static func sameBytes(
        _ left: UnsafeMutableRawBufferPointer,
        _ right: UnsafeMutableRawBufferPointer,
        count: Int
    ) -> Int? {
        guard let one = left.baseAddress, let other = right.baseAddress, memcmp(one, other, count) != 0 else {
            return nil
        }
        return zip(left.prefix(count), right.prefix(count)).enumerated().first { $0.element.0 != $0.element.1 }?.offset
    }
}

/// Where what matters in a segment ends; what follows is what the file held before it was recycled, or zeros.
struct SegmentContent {
    /// The end of the record that switches to the next segment.
    private(set) var switchEnd: LSN?
    /// The end of the last whole record; the segment's where one goes on in the next.
    private(set) var recordEnd: LSN

    init(of reader: SegmentReader, timeline: TimelineID, segmentSize: SegmentSize) throws {
        var scanner = SegmentScanner(
            startingAt: reader.position,
            segmentSize: segmentSize,
            expectation: .init(timeline: timeline)
        )
        var switchEnd: LSN?
        try withSegmentBuffer { buffer in
            while scanner.fault == nil, switchEnd == nil {
                let count = try reader.read(into: buffer)
                if count == 0 { return }
                scanner.consume(UnsafeRawBufferPointer(rebasing: buffer[..<count])) { record, _ in
                    guard record.isSegmentSwitch else { return .proceed }
                    switchEnd = record.endOfBytes
                    return .stop
                }
            }
        }
        self.switchEnd = switchEnd
        recordEnd = switchEnd ?? (scanner.fault == nil ? scanner.position : scanner.recordEnd)
    }
}

extension FullSegment {
    /// Whether the segment that has the name already is the same but for what follows a switch.
    ///
    /// An archive_command may have brought it, with what the server's file held there.
    func isSameUpToSwitch() throws -> Bool {
        let archive = WALDirectory(directory, segmentSize: size)
        let partial = StoredSegment(name: name, form: .partial, bytes: size.bytes)
        guard let existing = try archive.open(name, completeOnly: true),
            let end = try SegmentContent(
                of: archive.reader(of: partial),
                timeline: name.timeline,
                segmentSize: size
            ).switchEnd,
            let difference = try SegmentDifference.first(archive.reader(of: partial), existing)
        else { return false }
        return difference.position >= end && !difference.secondEnds
    }
}

extension WALRecord {
    /// After its last byte, also for a segment switch, whose `end` is the segment's; for a record of just a header.
    fileprivate var endOfBytes: LSN {
        // XLOG_BLCKSZ and SizeOfXLogShortPHD: no segment begins within a record that ends in the same one.
        let room = 8192 - start.rawValue % 8192
        return start.advanced(by: UInt64(totalLength) + (room < UInt64(totalLength) ? 24 : 0))
    }
}
