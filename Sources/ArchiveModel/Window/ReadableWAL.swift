package import WALFormat

/// The WAL of an archive that can be read: for each timeline, the stretches of it without a hole.
package struct ReadableWAL: Hashable, Sendable {
    /// Segments that follow each other, all but the last readable to their ends.
    package struct Run: Hashable, Codable, Sendable {
        /// A segment's start.
        package var start: LSN
        /// The end of what can be read.
        package var end: LSN
        /// The end of the last segment; beyond `end` in one that is partial or damaged.
        package var fileEnd: LSN
        /// The last segment is damaged: what is wrong with it.
        package var damage: String?

        package init(start: LSN, end: LSN, fileEnd: LSN, damage: String? = nil) {
            self.start = start
            self.end = end
            self.fileEnd = fileEnd
            self.damage = damage
        }
    }

    package let segmentSize: SegmentSize
    /// By timeline, in order.
    package private(set) var runs: [TimelineID: [Run]] = [:]

    package init(segmentSize: SegmentSize) {
        self.segmentSize = segmentSize
    }

    /// Takes the next segment of a timeline; each timeline's come in order.
    ///
    /// - Parameters:
    ///   - readable: the end of what can be read of it; nil for all.
    ///   - damage: why a complete segment cannot be read to its end.
    package mutating func add(_ number: UInt64, of timeline: TimelineID, readable: LSN? = nil, damage: String? = nil) {
        let start = segmentSize.start(of: number)
        let fileEnd = start.advanced(by: segmentSize.bytes)
        let end = readable.map { min(max($0, start), fileEnd) } ?? fileEnd
        let run = Run(start: start, end: end, fileEnd: fileEnd, damage: damage)
        guard let last = runs[timeline]?.indices.last, let before = runs[timeline]?[last], before.end == start else {
            runs[timeline, default: []].append(run)
            return
        }
        runs[timeline]?[last] = Run(start: before.start, end: end, fileEnd: fileEnd, damage: damage)
    }

    /// The stretch with the segment that holds `position`, whether or not it can be read there.
    package func run(_ timeline: TimelineID, holding position: LSN) -> Run? {
        guard let all = runs[timeline] else { return nil }
        // The last that begins at or before the position.
        var low = 0
        var high = all.count
        while low < high {
            let middle = (low + high) / 2
            if all[middle].start <= position { low = middle + 1 } else { high = middle }
        }
        guard low > 0 else { return nil }
        let run = all[low - 1]
        return position < run.fileEnd ? run : nil
    }

    /// Why reading along a path ends.
    package enum Stop: Hashable, Sendable {
        /// There is no WAL of the path beyond.
        case endOfWAL
        /// These segments are missing, and later ones are there.
        case missing(first: SegmentName, last: SegmentName)
        /// This segment cannot be read from here on, though it should be.
        case damaged(SegmentName, String)
        /// This segment was never completed, and later ones are there.
        case incomplete(SegmentName)
    }

    /// How far WAL can be read along a path, by the rules of `WALWalk`: a segment in which timelines meet is taken from
    /// the newest of them that has it.
    package func reach(from start: LSN, along path: TimelinePath) -> (end: LSN, stop: Stop) {
        var position = start
        while let (timeline, run) = piece(at: position, path) {
            let limit = limit(of: timeline, from: position, path) ?? run.end
            let end = min(run.end, limit)
            guard end > position else { return (position, stop(at: position, timeline, run, path)) }
            position = end
            if end == limit, end < run.fileEnd { continue }
            if run.end < run.fileEnd { return (position, stop(at: position, timeline, run, path)) }
        }
        guard let next = nextStart(beyond: position, path) else { return (position, .endOfWAL) }
        let last = LSN(max(next.rawValue, position.rawValue &+ 1) &- 1)
        return (position, .missing(first: name(at: position, path), last: name(at: last, path)))
    }

    /// Where to look again whose WAL comes next: the segment in which a timeline is left, and then that place.
    private func limit(of timeline: TimelineID, from position: LSN, _ path: TimelinePath) -> LSN? {
        guard let end = path.end(of: timeline) else { return nil }
        let segment = segmentSize.segmentStart(of: end)
        return segment > position ? segment : end
    }

    private func piece(at position: LSN, _ path: TimelinePath) -> (TimelineID, Run)? {
        let segmentEnd = segmentSize.segmentEnd(of: position)
        let oldest = path.timeline(at: position)
        let newest = path.timeline(at: LSN(segmentEnd.rawValue &- 1))
        for leg in path.legs.reversed() where leg.timeline >= oldest && leg.timeline <= newest {
            if let run = run(leg.timeline, holding: position) { return (leg.timeline, run) }
        }
        return nil
    }

    private func stop(at position: LSN, _ timeline: TimelineID, _ run: Run, _ path: TimelinePath) -> Stop {
        let name = SegmentName(timeline: timeline, containing: position, size: segmentSize)
        if let damage = run.damage { return .damaged(name, damage) }
        return nextStart(beyond: run.fileEnd, path) == nil ? .endOfWAL : .incomplete(name)
    }

    private func name(at position: LSN, _ path: TimelinePath) -> SegmentName {
        SegmentName(timeline: path.timeline(at: position), containing: position, size: segmentSize)
    }

    /// Where WAL of the path begins again at or beyond `position`; nil when there is none.
    private func nextStart(beyond position: LSN, _ path: TimelinePath) -> LSN? {
        path.legs.compactMap { leg in
            let end = leg.end ?? LSN(UInt64.max)
            guard end > position else { return nil }
            return runs[leg.timeline]?.first { $0.fileEnd > position && $0.start < end }.map { max($0.start, position) }
        }.min()
    }
}

extension TimelinePath {
    /// Where a timeline of the path is left for the next one; nil for the last.
    fileprivate func end(of timeline: TimelineID) -> LSN? {
        legs.first { $0.timeline == timeline }?.end
    }

    /// Where a timeline of the path begins; 0/0 for the first.
    package func start(of timeline: TimelineID) -> LSN {
        var before = LSN.invalid
        for leg in legs {
            if leg.timeline == timeline { return before }
            before = leg.end ?? before
        }
        return before
    }
}
