package import WALFormat

/// Looks a target up in a described archive: which snapshot, and where recovery from it must end.
///
/// Pure: WAL is read by the closure that it is given. The snapshot is the one with the least to replay, counted from
/// its redo; from it on, and from nowhere else, PostgreSQL's own rules decide.
package struct TargetSearch: Sendable {
    /// The last that the upstream said: nothing was committed beyond `end` up to this time of its clock.
    package struct Clock: Hashable, Sendable {
        package var time: PostgresTime
        package var end: LSN
        package var timeline: TimelineID

        package init(time: PostgresTime, end: LSN, timeline: TimelineID) {
            self.time = time
            self.end = end
            self.timeline = timeline
        }

        package init?(_ status: ReceiverStatus) {
            guard let time = status.heartbeatClock, let end = status.heartbeatEnd else { return nil }
            self.init(time: time, end: end, timeline: status.timeline)
        }
    }

    /// How reading ended.
    package enum ReadingEnd: Hashable, Sendable {
        /// Nothing more was wanted.
        case stopped
        /// All that the archive has on this path was read.
        case endOfArchive
        /// This segment is not there, and later ones are.
        case missing(SegmentName)
        /// A complete segment cannot be read as WAL from there on.
        case damaged(SegmentName, at: LSN, fault: String)

        var hole: SegmentName? {
            switch self {
            case .missing(let segment), .damaged(let segment, _, _): segment
            case .stopped, .endOfArchive: nil
            }
        }
    }

    /// Hands the records that begin at or after a position to the visitor, in order, until it says no.
    package typealias Reading = (_ from: LSN, _ visit: (WALRecord, WALEvent?) -> Bool) throws -> ReadingEnd
    /// See `TargetIndex.passOver`.
    package typealias PassOver = (_ target: Target, _ redo: LSN, _ path: TimelinePath) throws -> PassedWAL?
    /// See `TargetIndex.near`.
    package typealias Near = (_ target: Target, _ redo: LSN, _ path: TimelinePath) throws -> NearWAL?

    package struct Found: Sendable {
        package var snapshot: SnapshotRecord
        package var rule: StopRule
        /// All WAL from here to the stop was read; the index vouches for what lies before.
        package var readFrom: LSN
    }

    package let target: Target
    package let path: TimelinePath
    /// Those on the path, the one with the latest redo first.
    private let snapshots: [SnapshotRecord]
    private let only: String?
    private let clock: Clock?
    /// The archive has a newer timeline than the path's last: nothing more comes on that one.
    private let isOver: Bool

    /// - Parameters:
    ///   - snapshots: the ones that may be used.
    ///   - only: the user's choice of them.
    package init(
        _ target: Target,
        along path: TimelinePath,
        snapshots: [SnapshotRecord],
        only: String? = nil,
        clock: Clock? = nil,
        isOver: Bool = false
    ) {
        self.path = path
        self.only = only
        self.clock = clock
        self.isOver = isOver
        let usable = snapshots.filter { snapshot in
            path.contains(snapshot.timeline)
                && path.timeline(at: LSN(max(snapshot.consistent.rawValue, 1) - 1)) == snapshot.timeline
        }
        self.snapshots = usable.sorted { ($0.redo, $0.createdAt) > ($1.redo, $1.createdAt) }
        if case .snapshotItself = target, let snapshot = self.snapshots.first {
            self.target = .lsn(snapshot.replayed, inclusive: false)
        } else {
            self.target = target
        }
    }

    /// - Throws: `TargetRefusal`, and what `reading` throws.
    package func find(
        passOver: PassOver = { _, _, _ in nil },
        near: Near = { _, _, _ in nil },
        reading: Reading
    ) throws -> Found {
        guard !snapshots.isEmpty else {
            throw TargetRefusal(target, .notOnPath(snapshot: only, timeline: path.target))
        }
        let found: Found
        switch target {
        case .transaction, .restorePoint: found = try findByName(passOver, near, reading)
        case .time, .lsn, .before, .latest, .snapshotItself: found = try findPlace(passOver, reading)
        }
        if let barrier = found.rule.barrier {
            throw TargetRefusal(
                target,
                .barrier(barrier, snapshot: found.snapshot.name),
                before: Reachable(position: barrier.start, time: nil, transactionID: nil)
            )
        }
        return found
    }

    // MARK: - A place in the order of WAL

    private func findPlace(_ passOver: PassOver, _ reading: Reading) throws -> Found {
        var later: [SnapshotRecord] = []
        var first: TargetRefusal.Reason?
        var before: Reachable?
        for snapshot in snapshots {
            guard mayServe(snapshot) else {
                later.append(snapshot)
                continue
            }
            let (found, end) = try read(from: snapshot, upTo: nil, passOver, reading)
            if let reason = objection(found, end) {
                first = first ?? reason
                before = Reachable(found)
                // Not even its own moment is reached: an older one may come nearer.
                if before == nil { continue }
                break
            }
            if found.rule.stop >= snapshot.consistent { return found }
            later.append(snapshot)
        }
        var refusal = TargetRefusal(target, first ?? .beforeFirst(snapshot: snapshots.last?.name ?? ""))
        refusal.before = before
        refusal.after = try earliest(of: later, reading)
        refusal.clock = clock?.time
        throw refusal
    }

    /// The first state that one of these snapshots reaches.
    private func earliest(of snapshots: [SnapshotRecord], _ reading: Reading) throws -> Reachable? {
        for snapshot in snapshots.sorted(by: { $0.consistent < $1.consistent }) {
            var rule = StopRule(target: .lsn(snapshot.consistent, inclusive: false), start: snapshot.redo)
            _ = try reading(snapshot.redo) { record, event in !rule.isSettled && rule.visit(record, event: event) }
            if rule.stop >= snapshot.consistent { return Reachable(snapshot) }
        }
        return nil
    }

    /// Whether it is worth reading WAL from this snapshot on; what is read decides.
    private func mayServe(_ snapshot: SnapshotRecord) -> Bool {
        switch target {
        case .latest, .snapshotItself, .transaction, .restorePoint: true
        // A record that begins before the position may end behind the first consistent one.
        case .lsn(let position, _): snapshot.redo <= position
        case .before(let position): snapshot.consistent <= position
        // What it holds from before its redo committed no later.
        case .time(let time, inclusive: true): snapshot.earliestTime <= time
        case .time(let time, inclusive: false): snapshot.earliestTime < time
        }
    }

    /// Why what was read does not settle where the target is; nil when it does.
    private func objection(_ found: Found, _ end: ReadingEnd) -> TargetRefusal.Reason? {
        let rule = found.rule
        if rule.isSettled { return nil }
        switch target {
        // All that lies before it is there, and nothing begins at it yet.
        case .lsn(let position, _), .before(let position): if rule.stop >= position { return nil }
        default: break
        }
        switch end {
        case .stopped: return nil
        case .missing(let segment): return .gap(segment, snapshot: found.snapshot.name)
        case .damaged(let segment, let position, let fault):
            return .damaged(segment, at: position, fault: fault, snapshot: found.snapshot.name)
        case .endOfArchive:
            if case .latest = target { return nil }
            // What came later committed later, as far as the upstream's clock was heard.
            if case .time(let time, _) = target, let clock, clock.timeline == path.target, clock.time >= time,
                clock.end <= rule.stop
            {
                return nil
            }
            return .notHere(timeline: path.target, isOver: isOver)
        }
    }

    // MARK: - By a name or number

    /// Reads backwards, from snapshot to snapshot: each stretch once, and the newest first.
    private func findByName(_ passOver: PassOver, _ near: Near, _ reading: Reading) throws -> Found {
        var limit: LSN?
        var sightings = TargetSightings()
        var holes: [SegmentName] = []
        var later: [SnapshotRecord] = []
        var newest: Reachable?
        var hasPassed = false
        for snapshot in snapshots {
            let (found, end) = try read(from: snapshot, upTo: limit, passOver, reading)
            hasPassed = hasPassed || found.readFrom > snapshot.redo
            if found.rule.isSettled {
                if found.rule.stop >= snapshot.consistent { return found }
                // An older one reads on to where it was.
                later.append(snapshot)
                limit = nil
                continue
            }
            if let hole = end.hole, !holes.contains(hole) { holes.append(hole) }
            sightings.join(older: found.rule.sightings, wanted: transactionID)
            newest = newest ?? Reachable(found)
            if later.isEmpty { limit = snapshot.redo }
        }
        if !later.isEmpty, let oldest = snapshots.last {
            throw TargetRefusal(
                target,
                .beforeFirst(snapshot: oldest.name),
                after: try earliest(of: later, reading)
            )
        }
        if hasPassed, let oldest = snapshots.last {
            guard let near = try near(target, oldest.redo, path) else {
                // Names and numbers that are near are known only where all was read.
                return try findByName({ _, _, _ in nil }, { _, _, _ in nil }, reading)
            }
            sightings.join(older: try look(near, reading), wanted: transactionID)
        }
        var refusal = TargetRefusal(target, .noRestorePoint(sightings.restorePoints), before: newest)
        if case .transaction = target {
            refusal.reason = .noTransaction(sightings)
            refusal.before = sightings.below.map(Reachable.init)
            refusal.after = sightings.above.map(Reachable.init)
        }
        refusal.holes = holes
        throw refusal
    }

    /// What is met in the WAL that holds what is near.
    private func look(_ near: NearWAL, _ reading: Reading) throws -> TargetSightings {
        var sightings = TargetSightings()
        for point in near.restorePoints { sightings.restorePoint(point.name, time: point.time, end: point.end) }
        for part in near.parts {
            var rule = StopRule(target: target, start: part.lowerBound)
            _ = try reading(part.lowerBound) { record, event in
                record.start < part.upperBound && rule.visit(record, event: event)
            }
            sightings.join(older: rule.sightings, wanted: transactionID)
        }
        return sightings
    }

    private var transactionID: UInt32 {
        if case .transaction(let wanted, _) = target { wanted } else { 0 }
    }

    /// - Parameter limit: what begins there or later has been read already.
    private func read(
        from snapshot: SnapshotRecord,
        upTo limit: LSN?,
        _ passOver: PassOver,
        _ reading: Reading
    ) throws -> (Found, ReadingEnd) {
        var rule = StopRule(target: target, start: snapshot.redo, floor: snapshot.consistent)
        var start = snapshot.redo
        if let passed = try passOver(target, snapshot.redo, path), passed.end > start {
            start = passed.end
            rule = StopRule(target: target, passed: passed, floor: snapshot.consistent)
        }
        if let limit, start >= limit {
            return (Found(snapshot: snapshot, rule: rule, readFrom: start), .stopped)
        }
        let end = try reading(start) { record, event in
            if let limit, record.start >= limit, !rule.isSettled { return false }
            return rule.visit(record, event: event)
        }
        return (Found(snapshot: snapshot, rule: rule, readFrom: start), end)
    }
}

extension Reachable {
    /// The first state of a snapshot's clones.
    fileprivate init(_ snapshot: SnapshotRecord) {
        self.init(position: snapshot.consistent, time: snapshot.earliestTarget, transactionID: nil)
    }

    /// The last state before a search ended.
    fileprivate init?(_ found: TargetSearch.Found) {
        guard found.rule.stop >= found.snapshot.consistent else { return nil }
        let commit = found.rule.lastCommit
        self.init(
            position: found.rule.stop,
            time: commit?.time ?? found.snapshot.lastTransactionTime,
            transactionID: commit?.transactionID
        )
    }

    fileprivate init(_ ending: StopRule.Ending) {
        self.init(position: ending.end, time: ending.time, transactionID: ending.transactionID)
    }
}
