package import WALFormat

/// What a WAL archive's directory holds, sorted by what the names say.
package struct ArchiveListing: Sendable {
    /// By timeline and address; a segment in two forms once, in the better one (plain, zstd, partial).
    package let segments: [StoredSegment]
    package let histories: [TimelineID]
    /// `SEGMENT.OFFSET.backup` files.
    package let backupHistories: [String]
    /// Names that are nothing known here, such as segments set aside or temporary files.
    package let foreign: [String]
    /// The length of all files together, of both forms where there are two.
    package let totalBytes: UInt64

    package init(_ entries: [(name: String, bytes: UInt64)]) {
        var best: [SegmentName: StoredSegment] = [:]
        var histories: [TimelineID] = []
        var backupHistories: [String] = []
        var foreign: [String] = []
        var total: UInt64 = 0
        for (name, bytes) in entries {
            total &+= bytes
            switch ArchiveFileName(name) {
            case .segment(let segment):
                best[segment] = StoredSegment(name: segment, form: .plain, bytes: bytes)
            case .compressedSegment(let segment):
                if best[segment]?.form != .plain {
                    best[segment] = StoredSegment(name: segment, form: .zstd, bytes: bytes)
                }
            case .partialSegment(let segment):
                if best[segment] == nil {
                    best[segment] = StoredSegment(name: segment, form: .partial, bytes: bytes)
                }
            case .history(let timeline): histories.append(timeline)
            case .backupHistory: backupHistories.append(name)
            case nil: foreign.append(name)
            }
        }
        self.segments = best.values.sorted { $0.name.sortKey < $1.name.sortKey }
        self.histories = histories.sorted()
        self.backupHistories = backupHistories.sorted()
        self.foreign = foreign.sorted()
        self.totalBytes = total
    }

    /// The highest timeline of any segment or history file.
    package var newestTimeline: TimelineID? {
        [segments.last?.name.timeline, histories.last].compactMap(\.self).max()
    }

    /// The newest segment of a timeline, partial or not.
    package func last(of timeline: TimelineID) -> StoredSegment? {
        segments.last { $0.name.timeline == timeline }
    }
}

extension SegmentName {
    /// Orders names of one segment size as their addresses, timeline first.
    fileprivate var sortKey: (UInt32, UInt32, UInt32) { (timeline.rawValue, logID, segmentInLog) }
}
