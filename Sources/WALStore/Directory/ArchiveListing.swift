package import WALFormat

/// What a WAL archive's directory holds, sorted by what the names say.
package struct ArchiveListing: Sendable {
    /// By timeline and address; a segment in several forms once, in the best one (`SegmentForm`).
    package let segments: [StoredSegment]
    package let histories: [TimelineID]
    /// `SEGMENT.OFFSET.backup` files.
    package let backupHistories: [String]
    /// Names that are nothing known here, such as segments set aside or temporary files.
    package let foreign: [String]
    /// The length of all files together, of all forms where there are several.
    package let totalBytes: UInt64

    package init(_ entries: [(name: String, bytes: UInt64, stamp: StoredSegment.Stamp?)]) {
        var best: [SegmentName: StoredSegment] = [:]
        var histories: [TimelineID] = []
        var backupHistories: [String] = []
        var foreign: [String] = []
        var total: UInt64 = 0
        for (name, bytes, stamp) in entries {
            total &+= bytes
            let file = ArchiveFileName(name)
            if let segment = file?.segment, let form = file?.form {
                if let known = best[segment], !form.isBetter(than: known.form) { continue }
                best[segment] = StoredSegment(name: segment, form: form, bytes: bytes, stamp: stamp)
                continue
            }
            switch file {
            case .history(let timeline): histories.append(timeline)
            case .backupHistory: backupHistories.append(name)
            default: foreign.append(name)
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

extension SegmentForm {
    fileprivate func isBetter(than other: SegmentForm) -> Bool {
        let forms = SegmentForm.allCases
        return (forms.firstIndex(of: self) ?? forms.endIndex) < (forms.firstIndex(of: other) ?? forms.endIndex)
    }
}
