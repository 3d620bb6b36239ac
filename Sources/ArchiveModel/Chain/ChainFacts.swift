package import WALFormat

/// What is known of a WAL archive and of what needs it, before anything is judged.
package struct ChainFacts: Sendable {
    /// A file that is a segment, in whatever form.
    package struct File: Hashable, Sendable {
        package enum FirstPage: Hashable, Sendable {
            /// The file is gone by now, or is none that begins with a page.
            case unread
            case unreadable(String)
            case read(systemIdentifier: UInt64, timeline: TimelineID)
            case bad(ScanFault)
        }

        package var name: SegmentName
        /// What follows the segment's name, such as the ending of its compression.
        package var suffix: String
        package var isComplete: Bool
        /// The file's length, and the segment's where it is compressed and says so.
        package var bytes: UInt64
        package var contentBytes: UInt64?
        package var firstPage: FirstPage

        package init(
            name: SegmentName,
            suffix: String = "",
            isComplete: Bool = true,
            bytes: UInt64,
            contentBytes: UInt64? = nil,
            firstPage: FirstPage = .unread
        ) {
            self.name = name
            self.suffix = suffix
            self.isComplete = isComplete
            self.bytes = bytes
            self.contentBytes = contentBytes
            self.firstPage = firstPage
        }

        package var fileName: String { "\(name)\(suffix)" }
    }

    /// Two files of one complete segment.
    package struct Duplicate: Hashable, Sendable {
        package var name: SegmentName
        package var files: [String]
        package var isEqual: Bool

        package init(name: SegmentName, files: [String], isEqual: Bool) {
            self.name = name
            self.files = files
            self.isEqual = isEqual
        }
    }

    /// Where recovery begins, and from which position on its result can be used: a snapshot, the standby, a clone.
    package struct Root: Hashable, Sendable {
        package enum Kind: String, Codable, Sendable { case snapshot, standby, clone }

        package var kind: Kind
        package var name: String
        package var timeline: TimelineID
        package var redo: LSN
        package var consistent: LSN
        /// The newest commit that it holds by itself.
        package var time: PostgresTime?

        package init(
            kind: Kind,
            name: String,
            timeline: TimelineID,
            redo: LSN,
            consistent: LSN,
            time: PostgresTime? = nil
        ) {
            self.kind = kind
            self.name = name
            self.timeline = timeline
            self.redo = redo
            self.consistent = max(redo, consistent)
            self.time = time
        }
    }

    package var segmentSize: SegmentSize
    /// The cluster whose WAL it should be.
    package var systemIdentifier: UInt64?
    /// The best form of each segment, and others behind it.
    package var files: [File] = []
    package var duplicates: [Duplicate] = []
    package var histories: [TimelineID: TimelineHistory] = [:]
    /// History files that cannot be read as such, and why.
    package var badHistories: [TimelineID: String] = [:]
    package var roots: [Root] = []
    /// Snapshots whose record cannot be read, and why.
    package var damagedSnapshots: [String: String] = [:]
    /// What was acknowledged: WAL of these timelines is here up to these positions at least.
    package var reaches: [TimelineID: LSN] = [:]
    /// Names that could be a segment's, but not with this segment size.
    package var impossibleNames: [String] = []
    /// Names that are no WAL.
    package var otherNames: [String] = []

    package init(segmentSize: SegmentSize, systemIdentifier: UInt64? = nil) {
        self.segmentSize = segmentSize
        self.systemIdentifier = systemIdentifier
    }
}
