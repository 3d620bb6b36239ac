package import WALFormat

/// The moments of a window: for each interval the first and the last that can be asked for.
///
/// A time is not looked up among positions but as `TargetSearch` does it: from the newest snapshot that may serve on,
/// the first commit or abort that is later. Where the upstream's clock was put back, that is what decides which
/// moments are reached.
extension WindowInventory {
    /// - Parameters:
    ///   - clock: the last that the upstream said.
    ///   - newest: the latest time of all commits and aborts along a path between two positions.
    package func setTimes(
        of window: inout Window,
        clock: TargetSearch.Clock?,
        newest: (_ path: TimelinePath, _ from: LSN, _ upTo: LSN) throws -> PostgresTime?
    ) rethrows {
        for timeline in window.timelines.indices {
            let path = window.timelines[timeline].path
            // The last moment of the interval that comes next, and the first that snapshots from there on may serve.
            var next: PostgresTime?
            var rival: PostgresTime?
            for number in window.timelines[timeline].intervals.indices.reversed() {
                let interval = window.timelines[timeline].intervals[number]
                let from = try firstMoment(of: interval, path, newest)
                let isOpen = !window.timelines[timeline].gaps.contains { $0.start == interval.end }
                var to = try lastMoment(of: interval, path, clock: isOpen ? clock : nil, newest)
                // A newer snapshot is asked first; what it may serve must be found there.
                if let rival, let found = to, found >= rival {
                    to = max(min(found, next ?? rival.before), rival.before)
                }
                next = to
                let own = usable(along: path).filter {
                    interval.start <= $0.consistent && $0.consistent <= interval.end
                }
                rival = ([rival] + own.map(\.earliestTime)).compactMap(\.self).min()
                window.timelines[timeline].intervals[number].from = from
                window.timelines[timeline].intervals[number].to =
                    to.flatMap { last in from.map { last >= $0 } ?? true ? last : nil }
            }
        }
    }

    /// From the snapshot's first consistent state on nothing that committed earlier is missing.
    private func firstMoment(
        of interval: Window.Interval,
        _ path: TimelinePath,
        _ newest: (_ path: TimelinePath, _ from: LSN, _ upTo: LSN) throws -> PostgresTime?
    ) rethrows -> PostgresTime? {
        guard let snapshot = snapshots.first(where: { $0.name == interval.snapshot }) else { return nil }
        // On a timeline of its own from the fork on.
        let begin = max(snapshot.consistent, interval.start)
        return [snapshot.earliestTarget, try newest(path, snapshot.redo, begin)].compactMap(\.self).max()
    }

    /// A moment can be asked for when something later is here, behind the redo of the last snapshot that may serve, or
    /// when the upstream's clock was seen to have passed it.
    private func lastMoment(
        of interval: Window.Interval,
        _ path: TimelinePath,
        clock: TargetSearch.Clock?,
        _ newest: (_ path: TimelinePath, _ from: LSN, _ upTo: LSN) throws -> PostgresTime?
    ) rethrows -> PostgresTime? {
        let redo = usable(along: path).filter { $0.consistent <= interval.end }.map(\.redo).max()
        let later = try newest(path, redo ?? interval.start, interval.end)?.before
        let heard = clock.flatMap { $0.timeline == path.target && $0.end <= interval.end ? $0.time : nil }
        return [later, heard].compactMap(\.self).max()
    }
}

extension PostgresTime {
    fileprivate var before: PostgresTime { PostgresTime(rawValue: rawValue &- 1) }
}
