package import ArchiveModel
import Platform
package import WALFormat
import WALStore

/// Computes the recovery window from what the container holds.
package struct WindowReading {
    private let contents: ArchiveContents
    private let container: Container

    package init(_ contents: ArchiveContents) {
        self.contents = contents
        self.container = contents.container
    }

    package func window(now: PostgresTime) throws -> Window {
        let snapshots = try SnapshotCatalog(container).all().filter(\.live)
        let inventory = WindowInventory(
            snapshots: snapshots,
            paths: try paths(snapshots),
            wal: try readable(),
            barriers: try barriers(),
            doubts: try doubts()
        )
        var window = inventory.window
        let status = (try? JSONFile.read(ReceiverStatus.self, from: container.paths.receiverStatus)) ?? nil
        let clock = status.flatMap(TargetSearch.Clock.init)
        try inventory.setTimes(of: &window, clock: clock) { try newest($0, from: $1, upTo: $2).latest }
        for timeline in window.timelines.indices {
            let path = window.timelines[timeline].path
            for number in window.timelines[timeline].intervals.indices {
                let interval = window.timelines[timeline].intervals[number]
                let redo = snapshots.first { $0.name == interval.snapshot }?.redo ?? interval.start
                window.timelines[timeline].intervals[number].lastCommit =
                    try newest(path, from: redo, upTo: interval.end).lastCommit
            }
        }
        window.lag = status.map { status in
            let holder = (try? HeldLock.isHeld(container.paths.receiverLock)) ?? nil
            let standing = holder.map { ReceiverStatus.standing(status, holder: $0.pid, now: now) }
            return Window.Lag(
                status,
                reason: standing == nil ? "the receiver is not running" : standing?.reason,
                lastCommit: window.timelines.last?.intervals.last?.lastCommit?.time,
                now: now
            )
        }
        return window
    }

    // MARK: - The inventory

    /// Of every timeline that there is anything of.
    private func paths(_ snapshots: [SnapshotRecord]) throws -> [TimelineID: TimelinePath] {
        let timelines = Set(contents.present.complete.keys).union(contents.present.partial.keys)
            .union(snapshots.map(\.timeline)).union(contents.present.histories)
        return try Dictionary(uniqueKeysWithValues: timelines.map { ($0, try container.path(to: $0)) })
    }

    private func readable() throws -> ReadableWAL {
        var wal = ReadableWAL(segmentSize: container.segmentSize)
        var doubtful: [TimelineID: [UInt64: IndexDatabase.Doubtful]] = [:]
        for row in try contents.index.doubtful() { doubtful[row.timeline, default: [:]][row.number] = row }
        var tails: [TimelineID: [UInt64: ArchiveContents.Tail]] = [:]
        for tail in contents.tail { tails[tail.timeline, default: [:]][tail.number] = tail }
        let timelines = Set(contents.present.complete.keys).union(contents.present.partial.keys)
        for timeline in timelines.sorted() {
            let partial = contents.present.partial[timeline] ?? []
            for number in ((contents.present.complete[timeline] ?? []) + partial).sorted() {
                if let tail = tails[timeline]?[number] {
                    wal.add(number, of: timeline, readable: tail.readable, damage: tail.damage)
                } else if let row = doubtful[timeline]?[number] {
                    wal.add(
                        number,
                        of: timeline,
                        readable: row.fault?.readable ?? row.openRecord,
                        damage: row.fault?.what
                    )
                } else if !partial.contains(number) {
                    wal.add(number, of: timeline)
                }
            }
        }
        return wal
    }

    private func barriers() throws -> [WindowInventory.Place] {
        try contents.events(kinds: ReplayBarrier.events).compactMap { event in
            ReplayBarrier(event).map { .init(timeline: event.timeline, position: $0.start, what: $0.what) }
        }
    }

    private func doubts() throws -> [WindowInventory.Place] {
        try contents.events(kinds: ["full-page-writes-change"]).compactMap { event in
            guard event.kind == .fullPageWritesChange(false) else { return nil }
            let what = "full_page_writes was switched off on the upstream at \(event.start): pages may be damaged"
            return .init(timeline: event.timeline, position: event.start, what: what)
        }
    }

    // MARK: - Times

    private struct Newest {
        var latest: PostgresTime?
        var lastCommit: Window.Commit?

        mutating func take(latest: PostgresTime?, _ commit: Window.Commit?) {
            self.latest = [self.latest, latest].compactMap(\.self).max()
            lastCommit = commit ?? lastCommit
        }
    }

    /// The latest time and the last commit in the WAL of a path between two positions.
    private func newest(_ path: TimelinePath, from start: LSN, upTo end: LSN) throws -> Newest {
        let size = container.segmentSize
        var newest = Newest()
        // What begins in the rest of the first segment is read: its row is of all of it.
        let begin = size.segmentStart(of: start) == start ? start : size.segmentEnd(of: start)
        if begin > start { try scan(&newest, from: start, to: begin, path, upTo: end) }
        guard begin < end else { return newest }
        for (index, leg) in path.legs.enumerated() {
            let first = size.number(of: max(path.start(of: leg.timeline), begin))
            // The segment in which a timeline is left is read from the next one's copy.
            let legEnd = leg.end.map { size.segmentStart(of: $0) } ?? LSN(UInt64.max)
            let limit = min(legEnd, end)
            guard size.start(of: first) < limit else { continue }
            let isLast = index == path.legs.count - 1 || limit < legEnd
            let last = size.number(of: LSN(limit.rawValue &- 1))
            try take(&newest, leg.timeline, first...max(first, last), path, upTo: isLast ? end : limit)
        }
        return newest
    }

    private func take(
        _ newest: inout Newest,
        _ timeline: TimelineID,
        _ numbers: ClosedRange<UInt64>,
        _ path: TimelinePath,
        upTo end: LSN
    ) throws {
        let size = container.segmentSize
        let tails = contents.tail.filter { $0.timeline == timeline && numbers.contains($0.number) }
        // A segment that is cut by the end is looked into, unless it ends there by itself.
        let cut = size.segmentStart(of: end)
        let isWhole = cut == end || tails.contains { $0.readable == end }
        var rows = numbers
        if !isWhole, numbers.contains(size.number(of: end)) {
            guard size.number(of: end) > numbers.lowerBound else {
                return try scan(&newest, from: cut, to: end, path, upTo: end)
            }
            rows = numbers.lowerBound...(size.number(of: end) - 1)
        }
        let found = try contents.index.newest(timeline, rows)
        newest.take(latest: found.latest, found.lastCommit)
        for tail in tails where rows.contains(tail.number) {
            newest.take(
                latest: tail.summary.latestTime,
                tail.summary.lastCommit.map {
                    Window.Commit(time: $0.time, transactionID: $0.transactionID, end: $0.end)
                }
            )
        }
        if rows != numbers { try scan(&newest, from: cut, to: end, path, upTo: end) }
    }

    /// Reads the records that begin before `limit` and are whole at `end`.
    private func scan(
        _ newest: inout Newest,
        from start: LSN,
        to limit: LSN,
        _ path: TimelinePath,
        upTo end: LSN
    ) throws {
        let walk = WALWalk(container.walDirectory, expectation: container.expectation)
        _ = try walk.records(from: start, along: path, upTo: end) { record, _, body, major in
            guard record.start < limit, record.end <= end else { return .stop }
            switch body.isEmpty ? nil : WALEvent.decode(record, body: body, major: major) {
            case .commit(let found):
                newest.take(
                    latest: found.time,
                    Window.Commit(time: found.time, transactionID: found.transactionID, end: record.end)
                )
            case .abort(let found): newest.take(latest: found.time, nil)
            default: break
            }
            return .proceed
        }
    }
}

extension IndexDatabase {
    /// The latest time and the last commit of a range of segments.
    func newest(_ timeline: TimelineID, _ numbers: ClosedRange<UInt64>) throws(SQLiteError)
        -> (latest: PostgresTime?, lastCommit: Window.Commit?)
    {
        let range = [SQLiteValue(timeline), SQLiteValue(numbers.lowerBound), SQLiteValue(numbers.upperBound)]
        let latest = try database.rows(
            "SELECT max(latest_time) FROM segments WHERE timeline = ? AND number BETWEEN ? AND ?",
            range
        ) { $0.time(0) }.first
        let commit = try database.rows(
            """
            SELECT commit_time, commit_transaction, commit_end FROM segments
            WHERE timeline = ? AND number BETWEEN ? AND ? AND commits > 0 ORDER BY number DESC LIMIT 1
            """,
            range
        ) { row in
            row.time(0).map {
                Window.Commit(
                    time: $0,
                    transactionID: UInt32(truncatingIfNeeded: row.number(1)),
                    end: row.lsn(2) ?? .invalid
                )
            }
        }.first
        return (latest ?? nil, commit ?? nil)
    }
}
