/// What a file of a WAL archive is, by its name; a name that is none of these has no business there.
package enum ArchiveFileName: Hashable, Sendable, LosslessStringConvertible {
    case segment(SegmentName)
    case partialSegment(SegmentName)
    case compressedSegment(SegmentName)
    case history(TimelineID)
    /// `SEGMENT.OFFSET.backup`, written by pg_backup_stop on a primary.
    case backupHistory(SegmentName, offset: UInt32)

    package init?(_ text: String) {
        if text.utf8.count == 24, let name = SegmentName(text) {
            self = .segment(name)
        } else if text.hasSuffix(".partial"), let name = SegmentName(String(text.dropLast(8))) {
            self = .partialSegment(name)
        } else if text.hasSuffix(".zst"), let name = SegmentName(String(text.dropLast(4))) {
            self = .compressedSegment(name)
        } else if text.hasSuffix(".history"), text.utf8.count == 16,
            let value = hexadecimal(text.prefix(8), digits: 8...8), value > 0,
            TimelineID(UInt32(truncatingIfNeeded: value)).historyFileName == text
        {
            self = .history(TimelineID(UInt32(truncatingIfNeeded: value)))
        } else if text.hasSuffix(".backup"), text.utf8.count == 40, let name = SegmentName(String(text.prefix(24))),
            let value = hexadecimal(text.dropFirst(25).prefix(8), digits: 8...8),
            "\(name).\(hexadecimal(value, width: 8)).backup" == text
        {
            self = .backupHistory(name, offset: UInt32(truncatingIfNeeded: value))
        } else {
            return nil
        }
    }

    /// The segment that the file holds, in whatever form.
    package var segment: SegmentName? {
        switch self {
        case .segment(let name), .partialSegment(let name), .compressedSegment(let name): name
        case .history, .backupHistory: nil
        }
    }

    package var description: String {
        switch self {
        case .segment(let name): name.description
        case .partialSegment(let name): "\(name).partial"
        case .compressedSegment(let name): "\(name).zst"
        case .history(let timeline): timeline.historyFileName
        case .backupHistory(let name, let offset): "\(name).\(hexadecimal(UInt64(offset), width: 8)).backup"
        }
    }
}
