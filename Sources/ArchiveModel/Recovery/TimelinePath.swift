package import WALFormat

/// The way recovery takes through timelines: each but the last with the position where the next one forks off.
///
/// Written `1@0/5A0,2` on the command line of `pgarchive-wal fetch`.
package struct TimelinePath: Hashable, Codable, Sendable, LosslessStringConvertible {
    package struct Leg: Hashable, Sendable {
        package let timeline: TimelineID
        /// Where the next timeline begins; nil for the last.
        package let end: LSN?

        package init(timeline: TimelineID, end: LSN?) {
            self.timeline = timeline
            self.end = end
        }
    }

    package let legs: [Leg]

    /// A path of one timeline.
    package init(_ timeline: TimelineID) {
        self.legs = [Leg(timeline: timeline, end: nil)]
    }

    /// The path of `timeline` by its history: its ancestors, oldest first, then itself.
    package init(ancestors: [(timeline: TimelineID, end: LSN)], timeline: TimelineID) {
        self.legs = ancestors.map { Leg(timeline: $0.timeline, end: $0.end) } + [Leg(timeline: timeline, end: nil)]
    }

    package init?(_ text: String) {
        var legs: [Leg] = []
        let parts = text.split(separator: ",", omittingEmptySubsequences: false)
        for (index, part) in parts.enumerated() {
            let fields = part.split(separator: "@", omittingEmptySubsequences: false)
            guard let first = fields.first, let number = UInt32(first), number > 0 else { return nil }
            guard number > (legs.last?.timeline.rawValue ?? 0) else { return nil }
            if index == parts.count - 1 {
                guard fields.count == 1 else { return nil }
                legs.append(Leg(timeline: TimelineID(number), end: nil))
            } else {
                // A timeline may be left where it began, without any WAL of its own.
                guard fields.count == 2, let end = LSN(String(fields[1])), end.isValid,
                    end >= (legs.last?.end ?? .invalid)
                else { return nil }
                legs.append(Leg(timeline: TimelineID(number), end: end))
            }
        }
        guard !legs.isEmpty else { return nil }
        self.legs = legs
    }

    /// The timeline at the path's end.
    package var target: TimelineID { legs.last?.timeline ?? TimelineID(1) }

    /// The timeline whose WAL holds the byte at `position`.
    package func timeline(at position: LSN) -> TimelineID {
        legs.first { leg in leg.end.map { position < $0 } ?? true }?.timeline ?? target
    }

    package func contains(_ timeline: TimelineID) -> Bool {
        legs.contains { $0.timeline == timeline }
    }

    /// The path up to the timeline that holds the WAL before `position`.
    package func truncated(at position: LSN) -> TimelinePath {
        let last = legs.firstIndex { leg in leg.end.map { position <= $0 } ?? true } ?? legs.endIndex - 1
        let kept = legs[...last]
        return TimelinePath(
            ancestors: kept.dropLast().compactMap { leg in leg.end.map { (leg.timeline, $0) } },
            timeline: kept.last?.timeline ?? target
        )
    }

    package var description: String {
        legs.map { leg in leg.end.map { "\(leg.timeline)@\($0)" } ?? "\(leg.timeline)" }.joined(separator: ",")
    }

    package init(from decoder: any Decoder) throws {
        let container = try decoder.singleValueContainer()
        let text = try container.decode(String.self)
        guard let path = TimelinePath(text) else {
            throw DecodingError.dataCorruptedError(in: container, debugDescription: "'\(text)' is not a timeline path")
        }
        self = path
    }

    package func encode(to encoder: any Encoder) throws {
        var container = encoder.singleValueContainer()
        try container.encode(description)
    }
}
