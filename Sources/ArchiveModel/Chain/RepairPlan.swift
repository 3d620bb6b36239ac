package import WALFormat

/// What a repair will do about an archive's findings: pure.
package struct RepairPlan: Codable, Sendable {
    package struct Step: Codable, Hashable, Sendable {
        package enum Action: String, Codable, Sendable {
            /// Put a checked copy of the segment in its place.
            case replaceSegment
            /// Ask the upstream for a timeline's history.
            case fetchHistory
        }

        package var action: Action
        /// The segment's name, or the history's.
        package var name: String
        package var timeline: TimelineID
        /// The segment's number; 0 for a history.
        package var number: UInt64
        /// There is no file of it.
        package var isMissing: Bool
        /// The first and last segment of the damage that this one may be a part of.
        package var suspects: ClosedRange<UInt64>
        package var reason: String
    }

    package struct Left: Codable, Hashable, Sendable {
        package var what: String
        package var reason: String
    }

    /// In the order of WAL, histories before all.
    package let steps: [Step]
    /// What a repair can do nothing about.
    package let left: [Left]

    /// So many segments are no hole but another archive.
    package static let maxSegments = 100_000

    package init(_ breaks: [ChainBreak], segmentSize: SegmentSize) {
        var steps: [String: Step] = [:]
        var left: [Left] = []
        for place in breaks {
            switch place.kind {
            case .missing, .incomplete, .wrongSize, .damaged, .unreadable, .otherCluster, .otherTimeline,
                .differingDuplicate:
                guard place.numbers.upperBound - place.numbers.lowerBound < UInt64(Self.maxSegments) else {
                    left.append(Left(what: place.what, reason: "these are too many to be a hole"))
                    continue
                }
                for number in place.numbers {
                    let name = SegmentName(timeline: place.timeline, number: number, size: segmentSize).description
                    // What is known of it alone counts more than that it may be a part of something.
                    if let known = steps[name], known.suspects.count <= place.numbers.count { continue }
                    steps[name] = Step(
                        action: .replaceSegment,
                        name: name,
                        timeline: place.timeline,
                        number: number,
                        isMissing: place.kind == .missing,
                        suspects: place.kind == .missing ? number...number : place.numbers,
                        reason: place.what
                    )
                }
            case .historyMissing, .historyDamaged:
                let name = place.timeline.historyFileName
                steps[name] = Step(
                    action: .fetchHistory,
                    name: name,
                    timeline: place.timeline,
                    number: 0,
                    isMissing: place.kind == .historyMissing,
                    suspects: 0...0,
                    reason: place.what
                )
            case .endsEarly:
                left.append(Left(what: place.what, reason: "the receiver goes on where it can be read: restart it"))
            case .misplaced, .historyConflict, .snapshotUnreadable:
                left.append(Left(what: place.what, reason: "only a person can tell what is right"))
            }
        }
        self.steps = steps.values.sorted {
            ($0.action == .fetchHistory ? 0 : 1, $0.timeline, $0.number) < (
                $1.action == .fetchHistory ? 0 : 1, $1.timeline, $1.number
            )
        }
        self.left = left
    }
}
