package import WALFormat

/// WAL of one timeline's path that can be replayed without a break, and what can be recovered from it.
package struct ChainStretch: Codable, Hashable, Sendable {
    package struct Snapshot: Codable, Hashable, Sendable {
        package var name: String
        /// The first position that it can be recovered to.
        package var consistent: LSN
        package var time: PostgresTime?
    }

    /// The timeline at the path's end.
    package var timeline: TimelineID
    package var from: LSN
    package var to: LSN
    package var firstCommit: PostgresTime?
    package var lastCommit: PostgresTime?
    /// Oldest first; without any the WAL can be read, but nothing be recovered by it.
    package var snapshots: [Snapshot]
    /// What ends it; nil at the timeline's end.
    package var endsWith: String?
    /// What makes a clone of its first and of its last moment; nil without a snapshot.
    package var firstMoment: String?
    package var lastMoment: String?

    /// Whether a snapshot begins in it.
    package var isRecoverable: Bool { !snapshots.isEmpty }
}

extension ChainPlan {
    /// What is left on each side of all that is broken, for each timeline.
    package func stretches(_ breaks: [ChainBreak], _ reading: ChainReading) -> [ChainStretch] {
        let newest = tips.last?.timeline
        return tips.flatMap { tip in
            stretches(of: tip, breaks, reading, names: tip.timeline == newest ? "" : " --timeline \(tip.timeline)")
        }
    }

    private func stretches(
        of tip: Tip,
        _ breaks: [ChainBreak],
        _ reading: ChainReading,
        names timeline: String
    ) -> [ChainStretch] {
        let ours = breaks.filter { tip.needs($0) }.sorted { ($0.from, $0.to) < ($1.from, $1.to) }
        let begin = tip.legs.first.map { facts.segmentSize.start(of: $0.numbers.lowerBound) } ?? .invalid
        var stretches: [ChainStretch] = []
        var from = tip.roots.isEmpty ? begin : max(begin, tip.roots.map(\.redo).min() ?? begin)
        var firstCommit = tip.legs.lazy.compactMap { reading.firstCommits[$0.timeline] }.first
        for place in ours {
            if place.from > from {
                stretches.append(
                    stretch(tip, from, place.from, (firstCommit, place.lastBefore), endsWith: place.what, timeline)
                )
            }
            if place.to >= from {
                from = place.to
                firstCommit = place.firstAfter
            }
        }
        let end = reading.ends[tip.timeline] ?? tip.end
        if end > from {
            stretches.append(
                stretch(tip, from, end, (firstCommit, reading.lastCommits[tip.timeline]), endsWith: nil, timeline)
            )
        }
        return stretches
    }

    private func stretch(
        _ tip: Tip,
        _ from: LSN,
        _ to: LSN,
        _ commits: (first: PostgresTime?, last: PostgresTime?),
        endsWith: String?,
        _ timeline: String
    ) -> ChainStretch {
        let snapshots = tip.roots
            .filter { $0.kind == .snapshot && $0.redo >= from && $0.consistent <= to && $0.redo < to }
            .sorted { $0.consistent < $1.consistent }
        let create = "pgarchive clone create NAME --snapshot"
        // Those of its neighbours, where nothing was committed in it.
        let hasCommits = commits.first.map { first in commits.last.map { first <= $0 } ?? false } ?? false
        return ChainStretch(
            timeline: tip.timeline,
            from: from,
            to: to,
            firstCommit: hasCommits ? commits.first : nil,
            lastCommit: hasCommits ? commits.last : nil,
            snapshots: snapshots.map { .init(name: $0.name, consistent: $0.consistent, time: $0.time) },
            endsWith: endsWith,
            firstMoment: snapshots.first.map { "\(create) \($0.name) --lsn \($0.consistent)\(timeline)" },
            lastMoment: snapshots.last.map {
                endsWith == nil
                    ? "\(create) \($0.name) --latest\(timeline)" : "\(create) \($0.name) --lsn \(to)\(timeline)"
            }
        )
    }
}
