package import WALFormat

/// What reading the needed segments has shown.
package struct ChainReading: Sendable {
    /// Where records end before they should, and where they go on.
    package struct Interruption: Hashable, Sendable {
        package var place: ChainBreak
        /// False where there is simply no file: names tell that already.
        package var isFault: Bool

        package init(_ place: ChainBreak, isFault: Bool) {
            self.place = place
            self.isFault = isFault
        }
    }

    package var interruptions: [Interruption] = []
    /// The end of the last record of each timeline that was read to its end.
    package var ends: [TimelineID: LSN] = [:]
    package var firstCommits: [TimelineID: PostgresTime] = [:]
    package var lastCommits: [TimelineID: PostgresTime] = [:]
    package var bytes: UInt64 = 0
    package var segments = 0

    package init() {}

    /// What names told, with the exact positions and moments that reading adds, and what only reading could tell.
    package func merged(with breaks: [ChainBreak]) -> [ChainBreak] {
        var result = breaks
        var claimed: Set<Int> = []
        var added: [ChainBreak] = []
        for interruption in interruptions {
            let place = interruption.place
            let known = result.indices.filter { result[$0].overlaps(place) && !result[$0].kind.isOfHistory }
            for index in known {
                if claimed.insert(index).inserted {
                    result[index].from = place.from
                    result[index].lastBefore = place.lastBefore
                }
                result[index].to = max(place.to, result[index].from)
                result[index].firstAfter = place.firstAfter
            }
            if known.isEmpty, interruption.isFault { added.append(place) }
        }
        return (result + added).sorted { ($0.timeline, $0.from, $0.file) < ($1.timeline, $1.from, $1.file) }
    }
}

extension Finding.Kind {
    /// Of a timeline as a whole, not of a segment.
    package var isOfHistory: Bool {
        switch self {
        case .historyMissing, .historyDamaged, .historyConflict: true
        default: false
        }
    }
}
