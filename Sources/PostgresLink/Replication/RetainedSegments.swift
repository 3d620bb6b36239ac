package import WALFormat

/// The segments between what a slot keeps upstream and the last complete one that is here.
///
/// The first reply lets the server remove them: what is missing of them must be received before. Others than the
/// receiver bring segments too (archive_command, an import), so that the last one says nothing of those before it.
package struct RetainedSegments: Equatable, Sendable {
    /// Of the server's timeline.
    package let history: TimelineHistory
    package let segmentSize: SegmentSize
    /// Where the first of them begins.
    package let start: LSN
    /// Where the last one ends.
    package let end: LSN

    package init(history: TimelineHistory, segmentSize: SegmentSize, start: LSN, end: LSN) {
        self.history = history
        self.segmentSize = segmentSize
        self.start = start
        self.end = end
    }

    /// Nil when there are none.
    ///
    /// Where no slot says what is kept, all that lies behind the first hole here counts: some server may have it still.
    /// - Parameters:
    ///   - restart: the slot's position; nil when there is none, or the slot was made a moment ago.
    ///   - lost: up to where the server has removed what is missing here.
    init?(
        before stream: StreamStart,
        position: ArchivePosition,
        restart: LSN?,
        lost: LSN,
        history: TimelineHistory,
        segmentSize: SegmentSize
    ) {
        let end = min(position.completeEnd, segmentSize.segmentStart(of: stream.position))
        guard let first = restart.map({ segmentSize.segmentStart(of: $0) }) ?? position.firstHole else { return nil }
        let start = max(first, lost)
        guard start < end else { return nil }
        self.init(history: history, segmentSize: segmentSize, start: start, end: end)
    }

    /// The first of them that is not here, in its complete form; nil when all are.
    ///
    /// A segment in which the timeline was left is also that of the next one, which has all of it. Where both are
    /// missing it is received as the server wrote it, first on the timeline that was left.
    package func firstMissing(_ isHere: (SegmentName) throws -> Bool) rethrows -> SegmentName? {
        var position = start
        while position < end {
            if let name = try missing(at: position, isHere) { return name }
            position = position.advanced(by: segmentSize.bytes)
        }
        return nil
    }

    /// All of them that are not here, up to `limit`.
    package func allMissing(limit: Int = 1 << 20, _ isHere: (SegmentName) -> Bool) -> [SegmentName] {
        var names: [SegmentName] = []
        var position = start
        while position < end, names.count < limit {
            if let name = missing(at: position, isHere) { names.append(name) }
            position = position.advanced(by: segmentSize.bytes)
        }
        return names
    }

    /// The segment at `position`, where it is not here.
    private func missing(at position: LSN, _ isHere: (SegmentName) throws -> Bool) rethrows -> SegmentName? {
        let last = LSN(position.advanced(by: segmentSize.bytes).rawValue &- 1)
        let newest = name(at: position, on: history.timeline(at: last))
        guard try !isHere(newest) else { return nil }
        let oldest = name(at: position, on: history.timeline(at: position))
        if oldest == newest { return newest }
        return try isHere(oldest) ? newest : oldest
    }

    private func name(at position: LSN, on timeline: TimelineID) -> SegmentName {
        SegmentName(timeline: timeline, containing: position, size: segmentSize)
    }
}
