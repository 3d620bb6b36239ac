/// What a file of a WAL archive is, by its name; a name that is none of these has no business there.
package enum ArchiveFileName: Hashable, Sendable, LosslessStringConvertible {
    case segment(SegmentName)
    case partialSegment(SegmentName)
    /// A complete one.
    case compressedSegment(SegmentName, SegmentForm)
    /// pg_receivewal's, while it receives: `SEGMENT.gz.partial`, `SEGMENT.lz4.partial`.
    case compressedPartialSegment(SegmentName, SegmentForm)
    case history(TimelineID)
    /// `SEGMENT.OFFSET.backup`, written by pg_backup_stop on a primary.
    case backupHistory(SegmentName, offset: UInt32)

    package init?(_ text: String) {
        if let name = SegmentName(String(text.prefix(24))),
            let form = SegmentForm.allCases.first(where: { text.utf8.dropFirst(24).elementsEqual($0.suffix.utf8) })
        {
            self =
                switch form {
                case .plain: .segment(name)
                case .partial: .partialSegment(name)
                case .zstd, .lz4, .gzip: .compressedSegment(name, form)
                case .lz4Partial, .gzipPartial: .compressedPartialSegment(name, form)
                }
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
        case .segment(let name), .partialSegment(let name): name
        case .compressedSegment(let name, _), .compressedPartialSegment(let name, _): name
        case .history, .backupHistory: nil
        }
    }

    package var timeline: TimelineID {
        switch self {
        case .history(let timeline): timeline
        case .segment(let name), .partialSegment(let name): name.timeline
        case .compressedSegment(let name, _), .compressedPartialSegment(let name, _): name.timeline
        case .backupHistory(let name, _): name.timeline
        }
    }

    /// In what form it does.
    package var form: SegmentForm? {
        switch self {
        case .segment: .plain
        case .partialSegment: .partial
        case .compressedSegment(_, let form), .compressedPartialSegment(_, let form): form
        case .history, .backupHistory: nil
        }
    }

    package var description: String {
        switch self {
        case .segment(let name): name.description
        case .partialSegment(let name): "\(name).partial"
        case .compressedSegment(let name, let form), .compressedPartialSegment(let name, let form):
            "\(name)\(form.suffix)"
        case .history(let timeline): timeline.historyFileName
        case .backupHistory(let name, let offset): "\(name).\(hexadecimal(UInt64(offset), width: 8)).backup"
        }
    }
}
