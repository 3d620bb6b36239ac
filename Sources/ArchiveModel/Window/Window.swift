package import WALFormat

/// What can be recovered now: for each timeline, from where to where.
package struct Window: Codable, Hashable, Sendable {
    /// Positions of which each can be recovered to, by the best snapshot.
    package struct Interval: Codable, Hashable, Sendable {
        package var start: LSN
        package var end: LSN
        /// The snapshot that reaches its start.
        package var snapshot: String
        /// The first and the last moment that can be asked for; nil where nothing tells.
        package var from: PostgresTime?
        package var to: PostgresTime?
        /// The last commit that can be recovered.
        package var lastCommit: Commit?

        package init(start: LSN, end: LSN, snapshot: String) {
            self.start = start
            self.end = end
            self.snapshot = snapshot
        }
    }

    /// What cannot be recovered, between or behind what can.
    package struct Gap: Codable, Hashable, Sendable {
        package var start: LSN
        package var end: LSN
        package var cause: String

        package init(start: LSN, end: LSN, cause: String) {
            self.start = start
            self.end = end
            self.cause = cause
        }
    }

    package struct Commit: Codable, Hashable, Sendable {
        package var time: PostgresTime
        package var transactionID: UInt32
        /// The end of its record.
        package var end: LSN

        package init(time: PostgresTime, transactionID: UInt32, end: LSN) {
            self.time = time
            self.transactionID = transactionID
            self.end = end
        }
    }

    package struct Timeline: Codable, Hashable, Sendable {
        package var timeline: TimelineID
        /// Where it was forked off; 0/0 for the first.
        package var beginning: LSN
        package var intervals: [Interval]
        package var gaps: [Gap]
        /// What can be recovered, and is not promised to be sound.
        package var doubtful: [Gap]
        package var path: TimelinePath

        package init(_ path: TimelinePath) {
            timeline = path.target
            beginning = path.start(of: path.target)
            intervals = []
            gaps = []
            doubtful = []
            self.path = path
        }
    }

    package var timelines: [Timeline]
    /// How far the durable end is behind the upstream; nil while it was never heard.
    package var lag: Lag?

    package init(timelines: [Timeline]) {
        self.timelines = timelines
    }

    package struct Lag: Codable, Hashable, Sendable {
        package var durable: LSN
        package var upstream: LSN
        package var bytes: UInt64
        /// The moment up to which all that was committed is here, by the upstream's clock.
        package var completeUpTo: PostgresTime?
        /// Since then, by our clock.
        package var seconds: Double?
        /// Why nothing comes.
        package var reason: String?

        package init(_ status: ReceiverStatus, reason: String?, lastCommit: PostgresTime?, now: PostgresTime) {
            durable = status.durable
            upstream = status.upstreamEnd
            bytes = status.upstreamEnd.bytes(since: status.durable)
            let isHere = status.heartbeatEnd.map { $0 <= status.durable } ?? false
            completeUpTo = isHere ? status.heartbeatClock : lastCommit
            seconds = completeUpTo.map { max(0, now.seconds(since: $0)) }
            self.reason = reason
        }
    }
}

/// What a window is computed from.
package struct WindowInventory: Sendable {
    /// A record that counts for all that lies beyond it.
    package struct Place: Hashable, Sendable {
        package var timeline: TimelineID
        package var position: LSN
        package var what: String

        package init(timeline: TimelineID, position: LSN, what: String) {
            self.timeline = timeline
            self.position = position
            self.what = what
        }
    }

    /// Those that are taken for a clone without being named.
    package var snapshots: [SnapshotRecord]
    package var paths: [TimelineID: TimelinePath]
    package var wal: ReadableWAL
    /// Those that are not replayed: targets beyond them are refused.
    package var barriers: [Place]
    /// Those beyond which recovery is not promised, but from a snapshot that was taken later.
    package var doubts: [Place]

    package init(
        snapshots: [SnapshotRecord],
        paths: [TimelineID: TimelinePath],
        wal: ReadableWAL,
        barriers: [Place] = [],
        doubts: [Place] = []
    ) {
        self.snapshots = snapshots
        self.paths = paths
        self.wal = wal
        self.barriers = barriers
        self.doubts = doubts
    }

    /// The positions of each timeline that can be recovered to, without their times.
    ///
    /// A position is reachable from a snapshot on the way to it, at or beyond the snapshot's consistent position, if
    /// all WAL from the snapshot's redo on is readable.
    package var window: Window {
        let timelines = paths.sorted { $0.key < $1.key }.map { _, path in
            var found = Window.Timeline(path)
            var lastCause = ""
            for reach in reaches(along: path, from: found.beginning) {
                guard let last = found.intervals.last else {
                    found.intervals.append(reach.interval)
                    lastCause = reach.cause
                    continue
                }
                if reach.interval.start <= last.end {
                    guard reach.interval.end > last.end else { continue }
                    found.intervals[found.intervals.count - 1].end = reach.interval.end
                } else {
                    let cause = "\(lastCause); snapshot '\(reach.interval.snapshot)' is the first after it"
                    found.gaps.append(.init(start: last.end, end: reach.interval.start, cause: cause))
                    found.intervals.append(reach.interval)
                }
                lastCause = reach.cause
            }
            if let gap = gap(behind: found, cause: lastCause) { found.gaps.append(gap) }
            found.doubtful = doubtful(found)
            return found
        }
        return Window(timelines: timelines)
    }

    private struct Reach {
        let interval: Window.Interval
        /// Why it goes no further.
        let cause: String
    }

    /// Those on the way to the end of a path.
    func usable(along path: TimelinePath) -> [SnapshotRecord] {
        snapshots.filter { snapshot in
            path.contains(snapshot.timeline) && snapshot.consistent >= snapshot.redo
                && path.timeline(at: LSN(max(snapshot.consistent.rawValue, 1) - 1)) == snapshot.timeline
        }
    }

    /// What each snapshot reaches of the last timeline of a path, by where it begins.
    private func reaches(along path: TimelinePath, from beginning: LSN) -> [Reach] {
        let reaches: [Reach] = usable(along: path).compactMap { snapshot in
            var (end, stop) = wal.reach(from: snapshot.redo, along: path)
            var cause = Self.words(stop, at: end)
            let barrier = barriers.filter { barrier in
                barrier.position >= snapshot.redo && path.timeline(at: barrier.position) == barrier.timeline
            }.min { $0.position < $1.position }
            if let barrier, barrier.position < end {
                end = barrier.position
                cause = barrier.what
            }
            let start = max(snapshot.consistent, beginning)
            guard end >= snapshot.consistent, end > beginning || snapshot.timeline == path.target else { return nil }
            return Reach(interval: .init(start: start, end: end, snapshot: snapshot.name), cause: cause)
        }
        return reaches.sorted {
            ($0.interval.start, $0.interval.end, $0.interval.snapshot)
                < ($1.interval.start, $1.interval.end, $1.interval.snapshot)
        }
    }

    /// WAL of the timeline that nothing reaches, behind the last interval, or of all of it.
    private func gap(behind found: Window.Timeline, cause: String) -> Window.Gap? {
        guard let last = wal.runs[found.timeline]?.last else { return nil }
        if let end = found.intervals.last?.end {
            // What stands behind the last complete record of a partial segment is no WAL yet.
            guard last.end > end || last.damage != nil else { return nil }
            return .init(start: end, end: last.end > end ? last.end : last.fileEnd, cause: cause)
        }
        let start = max(found.beginning, wal.runs[found.timeline]?.first?.start ?? last.start)
        guard last.end > start else { return nil }
        return .init(start: start, end: last.end, cause: "no snapshot leads there")
    }

    /// The part of each interval that is reached by replaying a doubtful record.
    private func doubtful(_ found: Window.Timeline) -> [Window.Gap] {
        let path = found.path
        return doubts.filter { path.timeline(at: $0.position) == $0.timeline }.flatMap { doubt in
            let later = usable(along: path).filter { $0.redo > doubt.position }.map(\.consistent).min()
            return found.intervals.compactMap { interval -> Window.Gap? in
                let start = max(doubt.position, interval.start)
                let end = min(later ?? interval.end, interval.end)
                return start < end ? .init(start: start, end: end, cause: doubt.what) : nil
            }
        }
    }

    private static func words(_ stop: ReadableWAL.Stop, at position: LSN) -> String {
        switch stop {
        case .endOfWAL: "the WAL ends"
        case .missing(let first, let last):
            first == last ? "segment \(first) is missing" : "segments \(first) to \(last) are missing"
        case .damaged(let segment, let what): "segment \(segment) is damaged: \(what)"
        case .incomplete(let segment): "segment \(segment) was not received to its end"
        }
    }
}
