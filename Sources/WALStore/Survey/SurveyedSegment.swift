package import WALFormat

/// What a survey found of one segment.
package struct SurveyedSegment: Sendable {
    /// The name the path demands, on the newest timeline that the archive has the segment of.
    package let name: SegmentName
    /// The file that was read, or that could not be; nil when there is none.
    package let stored: StoredSegment?
    package let outcome: Outcome
    /// Of the records that begin here, as far as they are valid; nil when nothing could be read.
    package let summary: SegmentSummary?
    package let events: [SurveyEvent]
    /// Of the records in the summary.
    package let statistics: RecordStatistics
    /// The record that begins here, is right as far as it goes, and ends in WAL that is not there (yet).
    package let openRecord: LSN?
    /// How far the last record begun here was followed: beyond the segment's end, a fault may lie in a later segment.
    package let reach: LSN
    /// The first record was checked to follow the last of the segment before; false for the first segment, after a gap
    /// and after damage.
    package let isJoined: Bool

    package enum Outcome: Sendable {
        /// Every page and each record that begins here is valid, and what was before joins on.
        case valid
        /// A partial file, valid up to the end of its last record; the fault is what stands there, mostly zeros.
        case partial(ScanFault?)
        /// The archive has no file of it.
        case missing
        /// A complete segment of another length than a segment (decompressed); what is there was surveyed.
        case wrongSize(UInt64)
        /// Not WAL from the fault's position on.
        case damaged(ScanFault)
        /// The file cannot be read, or not be decompressed.
        case unreadable(any Error)

        package var isSound: Bool {
            switch self {
            case .valid, .partial: true
            case .missing, .wrongSize, .damaged, .unreadable: false
            }
        }
    }
}
