package import WALFormat

/// Something wrong in a WAL archive: what, where, what it costs, what to do.
package struct Finding: Codable, Hashable, Sendable {
    package enum Kind: String, Codable, Sendable, CaseIterable {
        case missing
        /// Only there as `.partial`, though WAL goes on behind it.
        case incomplete
        case wrongSize
        /// Pages or records that fail their checks.
        case damaged
        /// The system does not give the file's bytes, or it cannot be decompressed.
        case unreadable
        case otherCluster
        case otherTimeline
        /// Two files of one segment with different content.
        case differingDuplicate
        /// A segment where none of its timeline or of this size can be.
        case misplaced
        /// What was acknowledged to the upstream is not here.
        case endsEarly
        case historyMissing
        case historyDamaged
        case historyConflict
        case snapshotUnreadable
    }

    /// A part of what could be recovered that no longer can.
    package struct Cost: Codable, Hashable, Sendable {
        /// The timelines on which these moments lay.
        package var timelines: [TimelineID]
        /// The last position still reachable.
        package var from: LSN
        /// From here on all is reachable again; nil: nothing is, up to the timeline's end.
        package var to: LSN?
        /// The last commit still reachable, and the first moment that is reachable again.
        package var lastBefore: PostgresTime?
        package var firstAfter: PostgresTime?
        /// The snapshot that the moments from `to` on are reached from.
        package var nextSnapshot: String?
    }

    package var kind: Kind
    /// The file, or the segment's name where there is none.
    package var file: String
    /// The first and last segment concerned; nil for what is no segment.
    package var segment: String?
    package var through: String?
    package var segments: UInt64
    package var timeline: TimelineID?
    /// The WAL that cannot be read: from the end of the last record before to the start of the first one behind.
    package var from: LSN?
    package var to: LSN?
    package var what: String
    package var costs: [Cost]
    /// Snapshots that cannot be used any more.
    package var lostSnapshots: [String]
    /// The standby or clones that cannot go on.
    package var stuck: [String]
    package var advice: String
}

/// Something worth knowing about an archive that costs nothing.
package struct ChainNote: Codable, Hashable, Sendable {
    package var file: String
    package var text: String

    package init(file: String, text: String) {
        self.file = file
        self.text = text
    }
}

/// A place where the chain of WAL is broken, before it is known what that costs.
package struct ChainBreak: Hashable, Sendable {
    package var kind: Finding.Kind
    package var timeline: TimelineID
    /// The segments concerned, by number.
    package var numbers: ClosedRange<UInt64>
    package var from: LSN
    package var to: LSN
    package var file: String
    package var what: String
    /// The last commit before it and the first one behind it, where they were looked for.
    package var lastBefore: PostgresTime?
    package var firstAfter: PostgresTime?

    package init(
        _ kind: Finding.Kind,
        timeline: TimelineID,
        numbers: ClosedRange<UInt64>,
        size: SegmentSize,
        file: String,
        what: String
    ) {
        self.kind = kind
        self.timeline = timeline
        self.numbers = numbers
        self.from = size.start(of: numbers.lowerBound)
        self.to = size.start(of: numbers.upperBound).advanced(by: size.bytes)
        self.file = file
        self.what = what
    }

    package func overlaps(_ other: ChainBreak) -> Bool {
        timeline == other.timeline && numbers.overlaps(other.numbers)
    }

    /// Whether a file's pages and records are what is wrong, and nothing that names and lengths tell.
    package var isOfContent: Bool { kind == .damaged || kind == .unreadable || kind == .endsEarly }
}
