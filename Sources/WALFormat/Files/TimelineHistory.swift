/// A timeline's history file (PostgreSQL: `readTimeLineHistory`, timeline.c): the timelines that it descends from.
package struct TimelineHistory: Hashable, Sendable {
    package struct Ancestor: Hashable, Sendable {
        package let timeline: TimelineID
        /// Where the next timeline forks off.
        package let end: LSN
        package let reason: String

        package init(timeline: TimelineID, end: LSN, reason: String) {
            self.timeline = timeline
            self.end = end
            self.reason = reason
        }
    }

    package let timeline: TimelineID
    /// Oldest first; empty for timeline 1.
    package let ancestors: [Ancestor]

    /// Reads a history file's text.
    ///
    /// - Throws: `FormatError.invalid` with the number of the line that cannot be.
    package init(timeline: TimelineID, text: String) throws(FormatError) {
        var ancestors: [Ancestor] = []
        var number = 0
        for line in text.split(omittingEmptySubsequences: false, whereSeparator: \.isNewline) {
            number += 1
            let content = line.drop { $0.isWhitespace }
            if content.isEmpty || content.hasPrefix("#") {
                continue
            }
            let fields = content.split(maxSplits: 2, whereSeparator: \.isWhitespace)
            guard fields.count >= 2, let ancestor = UInt32(fields[0]), ancestor > 0, let end = LSN(String(fields[1])),
                end.isValid
            else {
                throw .invalid("line \(number) of \(timeline.historyFileName) is not 'timeline position reason'")
            }
            guard ancestor < timeline.rawValue, ancestor > ancestors.last?.timeline.rawValue ?? 0,
                end >= ancestors.last?.end ?? .invalid
            else {
                throw .invalid("line \(number) of \(timeline.historyFileName) is out of sequence")
            }
            let reason = fields.count > 2 ? String(fields[2]) : ""
            ancestors.append(Ancestor(timeline: TimelineID(ancestor), end: end, reason: reason))
        }
        self.timeline = timeline
        self.ancestors = ancestors
    }

    /// The history of a timeline without a file: no ancestors.
    package init(timeline: TimelineID, ancestors: [Ancestor] = []) {
        self.timeline = timeline
        self.ancestors = ancestors
    }

    package var parent: Ancestor? { ancestors.last }

    /// Where `timeline` was left for the next one on this path; nil when it is not an ancestor.
    package func end(of timeline: TimelineID) -> LSN? {
        ancestors.first { $0.timeline == timeline }?.end
    }

    /// Whether `timeline` is this one or an ancestor.
    package func contains(_ timeline: TimelineID) -> Bool {
        timeline == self.timeline || ancestors.contains { $0.timeline == timeline }
    }

    /// The timeline on this path whose WAL holds the byte at `position`.
    package func timeline(at position: LSN) -> TimelineID {
        ancestors.first { position < $0.end }?.timeline ?? timeline
    }
}
