package import ArchiveModel
import Platform
import PostgresLink
package import WALFormat
import WALStore

/// Turns what a user asks for into an exact plan, by reading the WAL from the best snapshot on; or says why not.
package struct TargetResolver: Sendable {
    let container: Container

    package init(_ container: Container) {
        self.container = container
    }

    /// - Parameters:
    ///   - snapshotName: the only snapshot to consider; nil picks the one with the least to replay.
    ///   - timeline: the timeline to recover along; nil means the newest.
    package func resolve(
        _ target: Target,
        snapshot snapshotName: String? = nil,
        timeline: TimelineID? = nil
    ) throws -> RestorePlan {
        let catalog = SnapshotCatalog(container)
        let all = try catalog.all()
        let candidates: [SnapshotRecord]
        if let snapshotName {
            candidates = [try catalog.find(snapshotName)]
        } else {
            candidates = all.filter(\.live).sorted { ($0.redo, $0.createdAt) > ($1.redo, $1.createdAt) }
        }
        guard let oldest = candidates.last else {
            throw ArchiveError(
                .refused,
                "there is no snapshot to make a clone from",
                hint: "'pgarchive snapshot create' takes one"
            )
        }
        if case .time(let time) = target { try awaitClock(time) }
        let path = try self.path(timeline: timeline, target: target, snapshots: candidates)
        for snapshot in candidates where mayServe(snapshot, target) {
            guard path.contains(snapshot.timeline),
                path.timeline(at: LSN(max(snapshot.consistent.rawValue, 1) - 1)) == snapshot.timeline
            else {
                continue
            }
            if let plan = try plan(target, from: snapshot, along: path) { return plan }
        }
        throw unreachable(target, oldest: oldest, only: snapshotName)
    }

    /// For a moment that has just passed: waits until upstream's clock is known to have passed it too.
    ///
    /// The receiver asks for it every second, and one more answer makes it certain; a few of these are waited for.
    private func awaitClock(_ time: PostgresTime) throws {
        let deadline = Deadline(seconds: 6)
        while !deadline.hasPassed, time.unixMicroseconds <= SystemClock.now() + 1_000_000,
            let status = try JSONFile.read(ReceiverStatus.self, from: container.paths.receiverStatus),
            status.state == .streaming || status.state == .catchingUp
        {
            if let clock = status.heartbeatClock, clock >= time, let end = status.heartbeatEnd, end <= status.durable {
                return
            }
            SystemClock.sleep(seconds: 0.05)
        }
    }

    /// Whether it is worth reading WAL from this snapshot on; what is read decides.
    private func mayServe(_ snapshot: SnapshotRecord, _ target: Target) -> Bool {
        switch target {
        case .latest, .snapshotItself: true
        case .lsn(let position): snapshot.consistent <= position
        case .time(let time): snapshot.earliestTime <= time
        }
    }

    private func path(timeline: TimelineID?, target: Target, snapshots: [SnapshotRecord]) throws -> TimelinePath {
        if let timeline {
            guard try timeline == TimelineID(1) || container.walDirectory.history(timeline) != nil else {
                throw ArchiveError(
                    .refused,
                    "the archive has no timeline \(timeline)",
                    hint: "leave --timeline out to follow the newest"
                )
            }
            return try container.walDirectory.path(to: timeline)
        }
        if case .snapshotItself = target, let snapshot = snapshots.first {
            return try container.walDirectory.path(to: snapshot.timeline)
        }
        let newest = try container.walDirectory.list().newestTimeline ?? snapshots.first?.timeline ?? TimelineID(1)
        return try container.walDirectory.path(to: newest)
    }

    /// The plan from one snapshot; nil when the target lies before the snapshot is consistent.
    private func plan(_ target: Target, from snapshot: SnapshotRecord, along path: TimelinePath) throws -> RestorePlan?
    {
        let effective: Target
        if case .snapshotItself = target { effective = .lsn(snapshot.replayed) } else { effective = target }
        var rule = StopRule(target: effective, start: snapshot.redo, floor: snapshot.consistent)
        let walk = WALWalk(container.walDirectory, expectation: container.expectation)
        let end = try walk.records(from: snapshot.redo, along: path) { record, _, body, major in
            let event = body.isEmpty ? nil : WALEvent.decode(record, body: body, major: major)
            return rule.visit(record, event: event) ? .proceed : .stop
        }
        try check(end, rule: rule, target: effective, snapshot: snapshot)
        guard rule.stop >= snapshot.consistent else { return nil }
        if let tablespace = rule.tablespace {
            throw ArchiveError(
                .refused,
                "between snapshot '\(snapshot.name)' and the target a tablespace is created at '\(tablespace.path)'; "
                    + "replaying that would touch this directory on this host",
                hint: "choose a target before \(tablespace.start)"
            )
        }
        return RestorePlan(
            snapshot: snapshot.name,
            redo: snapshot.redo,
            path: path.truncated(at: rule.stop),
            stop: rule.stop,
            lastTransactionTime: rule.lastCommit?.time ?? snapshot.lastTransactionTime,
            lastTransactionID: rule.lastCommit?.transactionID,
            firstLeftOut: rule.firstLeftOut?.time,
            parameters: try parameters(snapshot: snapshot, rule: rule),
            warnings: warnings(rule)
        )
    }

    /// What the walk's end means for the target.
    private func check(_ end: WALWalk.End, rule: StopRule, target: Target, snapshot: SnapshotRecord) throws {
        switch end {
        case .stopped, .reached:
            return
        case .endOfArchive:
            try checkEnd(rule: rule, target: target)
        case .missing(let segment):
            throw ArchiveError(
                .refused,
                "WAL is missing: segment \(segment), which lies between snapshot '\(snapshot.name)' and the target",
                hint:
                    "reachable from this snapshot is \(rule.stop): use --lsn with it, or a later snapshot"
            )
        case .corrupt(let fault, let segment):
            throw ArchiveError(
                .verificationFailed,
                "segment \(segment) is damaged at \(fault.at): \(fault)",
                hint:
                    "the last reachable position from snapshot '\(snapshot.name)' is \(rule.stop): use --lsn with it"
            )
        }
    }

    /// Decides, when the archive ended before the target was found, whether that is the target or it is still to come.
    private func checkEnd(rule: StopRule, target: Target) throws {
        let reach =
            rule.newestTime.map { "the last commit here is of \(Instant.local($0)), at \(rule.stop)" }
            ?? "the archive ends at \(rule.stop)"
        switch target {
        case .latest, .snapshotItself:
            return
        case .lsn(let position):
            guard rule.stop < position else { return }
            throw ArchiveError(
                .refused,
                "\(position) is not in the archive yet: it ends at \(rule.stop)",
                hint: "use --lsn \(rule.stop) or --latest, or wait until the WAL has arrived"
            )
        case .time(let time):
            let status = try JSONFile.read(ReceiverStatus.self, from: container.paths.receiverStatus)
            if let clock = status?.heartbeatClock, clock >= time, let walEnd = status?.heartbeatEnd, walEnd <= rule.stop
            {
                return
            }
            throw ArchiveError(
                .refused,
                "\(Instant.local(time)) is not in the archive yet: \(reach)"
                    + (status?.heartbeatClock.map { ", and upstream's clock was last seen at \(Instant.local($0))" }
                        ?? ""),
                hint: "use an earlier time, or --latest for everything that is here"
            )
        }
    }

    private func parameters(snapshot: SnapshotRecord, rule: StopRule) throws -> HotStandbyParameters {
        let recorded = HotStandbyParameters(try ControlFileReader.read(container.paths.snapshot(snapshot.name).tree))
        return rule.parameters.map { recorded.raised(to: $0) } ?? recorded
    }

    private func warnings(_ rule: StopRule) -> [String] {
        guard rule.clockSteppedBack, case .time = rule.target else { return [] }
        return ["upstream's clock went backwards near the target: recovery ends before the first commit that is later"]
    }

    private func unreachable(_ target: Target, oldest: SnapshotRecord, only: String?) -> ArchiveError {
        let earliest = Instant.local(max(oldest.earliestTime, oldest.lastTransactionTime ?? oldest.earliestTime))
        let from = only.map { "snapshot '\($0)' cannot reach it" } ?? "it lies before the oldest snapshot"
        let asked: String
        switch target {
        case .time(let time): asked = Instant.local(time)
        case .lsn(let position): asked = position.description
        case .latest, .snapshotItself: asked = "the target"
        }
        return ArchiveError(
            .refused,
            "\(asked) cannot be reached: \(from), which is usable from \(earliest) (\(oldest.consistent)) on",
            hint: "the nearest target is --lsn \(oldest.consistent)"
        )
    }
}

extension TimelinePath {
    /// The path up to the timeline that holds the WAL before `position`.
    func truncated(at position: LSN) -> TimelinePath {
        let last = legs.firstIndex { leg in leg.end.map { position <= $0 } ?? true } ?? legs.endIndex - 1
        let kept = legs[...last]
        return TimelinePath(
            ancestors: kept.dropLast().compactMap { leg in leg.end.map { (leg.timeline, $0) } },
            timeline: kept.last?.timeline ?? target
        )
    }
}
