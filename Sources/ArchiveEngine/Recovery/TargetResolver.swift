package import ArchiveModel
import Platform
package import WALFormat
import WALStore

/// Turns what a user asks for into an exact plan, or says why not and what is nearest.
///
/// `TargetSearch` decides; here the archive is described to it, and its WAL read: from the best snapshot on, or, with
/// an index, from the segment on that decides. Either way all WAL on the way is known to be whole before a promise.
package struct TargetResolver: Sendable {
    /// Which timeline to recover along.
    package enum Timeline: Hashable, Sendable {
        case newest
        /// The snapshot's own.
        case current
        case number(TimelineID)
    }

    let container: Container
    let index: TargetIndex?
    /// Is taken into the archive before the plan is carried out.
    let crashed: CrashedWAL?

    package init(_ container: Container, index: TargetIndex? = nil, and crashed: CrashedWAL? = nil) {
        self.container = container
        self.index = index
        self.crashed = crashed
    }

    /// - Parameters:
    ///   - snapshotName: the only snapshot to consider; nil picks the one with the least to replay.
    ///   - takesImage: the plan by which the snapshot's image was made will do, as no WAL is needed then.
    package func resolve(
        _ target: Target,
        snapshot snapshotName: String? = nil,
        timeline: Timeline = .newest,
        takesImage: Bool = false
    ) throws -> RestorePlan {
        if takesImage, target == .snapshotItself, timeline == .newest, let snapshotName,
            let image = ReadyImages(container).image(of: snapshotName)
        {
            return image.plan
        }
        let snapshots = try candidates(snapshotName)
        guard let newest = snapshots.first else { throw TargetRefusal(target, .noSnapshot).error }
        if case .time(let time, _) = target { try awaitClock(time) }
        let latest = try latestTimeline(newest)
        let path = try path(target == .snapshotItself && timeline == .newest ? .current : timeline, newest, latest)
        if case .before(let position) = target { try requireEvent(at: position, along: path) }
        let search = TargetSearch(
            target,
            along: path,
            snapshots: snapshots,
            only: snapshotName,
            clock: try clock(),
            isOver: path.target < latest
        )
        let found: TargetSearch.Found
        do {
            found = try search.find(
                passOver: { target, redo, path in try index?.passOver(target, redo, path) },
                near: { target, redo, path in try index?.near(target, redo, path) },
                reading: { start, visit in try read(from: start, along: path, visit) }
            )
        } catch let refusal as TargetRefusal {
            throw refusal.error
        }
        let recorded = HotStandbyParameters(
            try ControlFileReader.read(container.paths.snapshot(found.snapshot.name).tree)
        )
        var targetTime: PostgresTime?
        if case .time(let time, _) = target { targetTime = time }
        return RestorePlan(
            found,
            path: path,
            parameters: found.rule.parameters.map { recorded.raised(to: $0) } ?? recorded,
            warnings: warnings(found.rule),
            targetTime: targetTime,
            rate: ReplayRateFile(container).read()
        )
    }

    /// Newest first.
    private func candidates(_ name: String?) throws -> [SnapshotRecord] {
        let catalog = SnapshotCatalog(container)
        if let name { return [try catalog.find(name)] }
        return try catalog.all().filter(\.live).sorted { ($0.redo, $0.createdAt) > ($1.redo, $1.createdAt) }
    }

    /// The way that a target on this timeline is looked for along.
    package func path(_ timeline: Timeline, snapshot name: String? = nil) throws -> TimelinePath {
        let newest = try candidates(name).first
        return try path(timeline, newest, latestTimeline(newest))
    }

    private func latestTimeline(_ newest: SnapshotRecord?) throws -> TimelineID {
        try crashed?.found.path.target ?? container.walDirectory.timelines().max() ?? newest?.timeline
            ?? TimelineID(1)
    }

    private func path(_ timeline: Timeline, _ newest: SnapshotRecord?, _ latest: TimelineID) throws -> TimelinePath {
        switch timeline {
        case .number(let number):
            guard try number == TimelineID(1) || history(number) != nil else {
                throw ArchiveError(
                    .refused,
                    "the archive has no timeline \(number)",
                    hint: "leave --timeline out to follow the newest, which is \(latest)"
                )
            }
            return try self.path(to: number)
        case .current: return try container.walDirectory.path(to: newest?.timeline ?? latest)
        case .newest: return try self.path(to: latest)
        }
    }

    private func history(_ timeline: TimelineID) throws -> TimelineHistory? {
        try container.walDirectory.history(timeline) ?? crashed?.unarchived.history(timeline)
    }

    private func path(to timeline: TimelineID) throws -> TimelinePath {
        guard let history = try history(timeline) else { return try container.walDirectory.path(to: timeline) }
        return TimelinePath(ancestors: history.ancestors.map { ($0.timeline, $0.end) }, timeline: timeline)
    }

    /// The id of an event of another timeline is some other place on this one.
    private func requireEvent(at position: LSN, along path: TimelinePath) throws {
        guard let timelines = try index?.timelinesOfEvent(position), let own = timelines.max(),
            !timelines.contains(path.timeline(at: position))
        else { return }
        throw ArchiveError(
            .refused,
            "the event at \(position) is on timeline \(own), and not on the way to timeline \(path.target)",
            hint: "--timeline \(own) follows that one"
        )
    }

    // MARK: - The upstream's clock

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

    /// Read before the WAL: what it says of the WAL's end then holds for what is read.
    private func clock() throws -> TargetSearch.Clock? {
        try JSONFile.read(ReceiverStatus.self, from: container.paths.receiverStatus).flatMap(TargetSearch.Clock.init)
    }

    // MARK: - WAL

    private func read(
        from start: LSN,
        along path: TimelinePath,
        _ visit: (WALRecord, WALEvent?) -> Bool
    ) throws -> TargetSearch.ReadingEnd {
        let walk = WALWalk(container.walDirectory, expectation: container.expectation) { missing in
            try RestoreProgram(container)?.bringBack(missing) ?? false
        }
        func show(_ record: WALRecord, _ body: UnsafeRawBufferPointer, _ major: PostgresMajor) -> SegmentScanner.Verdict
        {
            let event = body.isEmpty ? nil : WALEvent.decode(record, body: body, major: major)
            return visit(record, event) ? .proceed : .stop
        }
        let end = try walk.records(from: start, along: path) { record, _, body, major in show(record, body, major) }
        if case .endOfArchive(let recordEnd, _, _) = end, let crashed, path.target == crashed.found.path.target {
            guard recordEnd == crashed.found.from else {
                throw ArchiveError(
                    .verificationFailed,
                    "the archive's WAL can be read up to \(recordEnd) only, not up to its end at \(crashed.found.from)",
                    hint: "'pgarchive wal_archive verify --deep' tells more"
                )
            }
            let isStopped = try crashed.unarchived.records(of: crashed.found) { record, timeline, body, major in
                path.timeline(at: record.start) == timeline ? show(record, body, major) : .proceed
            }
            return isStopped ? .stopped : .endOfArchive
        }
        switch end {
        case .stopped, .reached: return .stopped
        case .endOfArchive: return .endOfArchive
        case .missing(let segment): return .missing(segment)
        case .corrupt(let fault, let segment): return .damaged(segment, at: fault.at, fault: "\(fault)")
        }
    }

    private func warnings(_ rule: StopRule) -> [String] {
        var warnings: [String] = []
        switch rule.target {
        case .time where rule.clockSteppedBack:
            warnings.append(
                "upstream's clock went backwards near the target: recovery ends before the first commit that is later"
            )
        case .transaction(let id, inclusive: true) where rule.isAborted:
            warnings.append("transaction \(id) was rolled back: nothing of it is in the clone")
        default: break
        }
        if let off = rule.fullPageWritesOff, off < rule.stop {
            warnings.append(
                "full_page_writes was switched off on the upstream at \(off), before the target: pages may be damaged"
            )
        }
        return warnings
    }
}
