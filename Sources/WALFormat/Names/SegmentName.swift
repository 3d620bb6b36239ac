/// The 24 digits of a WAL segment's name: timeline, log id, segment within it (PostgreSQL: `XLogFileName`).
///
/// The segment's number follows from the name only with the cluster's segment size.
package struct SegmentName: Hashable, Sendable, Codable, LosslessStringConvertible {
    package let timeline: TimelineID
    package let logID: UInt32
    package let segmentInLog: UInt32

    package init(timeline: TimelineID, number: UInt64, size: SegmentSize) {
        self.timeline = timeline
        self.logID = UInt32(truncatingIfNeeded: number / size.perLogID)
        self.segmentInLog = UInt32(truncatingIfNeeded: number % size.perLogID)
    }

    package init(timeline: TimelineID, containing position: LSN, size: SegmentSize) {
        self.init(timeline: timeline, number: size.number(of: position), size: size)
    }

    /// Exactly 24 digits, 0-9 and A-F; lower case is not a segment's name.
    package init?(_ text: String) {
        let digits = Array(text.utf8)
        guard digits.count == 24, digits.allSatisfy({ (0x30...0x39).contains($0) || (0x41...0x46).contains($0) }),
            let timeline = hexadecimal(text.prefix(8), digits: 8...8),
            let log = hexadecimal(text.dropFirst(8).prefix(8), digits: 8...8),
            let segment = hexadecimal(text.suffix(8), digits: 8...8), timeline > 0
        else { return nil }
        self.timeline = TimelineID(UInt32(truncatingIfNeeded: timeline))
        self.logID = UInt32(truncatingIfNeeded: log)
        self.segmentInLog = UInt32(truncatingIfNeeded: segment)
    }

    /// The segment's number; nil where the name cannot exist with this segment size.
    package func number(size: SegmentSize) -> UInt64? {
        guard UInt64(segmentInLog) < size.perLogID else { return nil }
        return UInt64(logID) * size.perLogID + UInt64(segmentInLog)
    }

    /// The address of the segment's first byte; nil where the name cannot exist with this segment size.
    package func start(size: SegmentSize) -> LSN? {
        number(size: size).map { size.start(of: $0) }
    }

    package var description: String {
        timeline.hexadecimalName + hexadecimal(UInt64(logID), width: 8) + hexadecimal(UInt64(segmentInLog), width: 8)
    }

    package init(from decoder: any Decoder) throws {
        let container = try decoder.singleValueContainer()
        let text = try container.decode(String.self)
        guard let name = SegmentName(text) else {
            throw DecodingError.dataCorruptedError(in: container, debugDescription: "'\(text)' is not a segment")
        }
        self = name
    }

    package func encode(to encoder: any Encoder) throws {
        var container = encoder.singleValueContainer()
        try container.encode(description)
    }
}
