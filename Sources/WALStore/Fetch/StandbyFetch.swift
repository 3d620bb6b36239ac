import Platform
import WALFormat

/// The standby's form of a fetch: waits a little for what comes next, and stands still where it must.
///
/// Trouble is answered like "not there", slowly: the standby asks again, and the hold file says why it gets nothing.
struct StandbyFetch {
    let fetch: SegmentFetch

    init(_ fetch: SegmentFetch) {
        self.fetch = fetch
    }

    func run(report: (String) -> Void) -> FetchOutcome {
        let deadline = Deadline(seconds: fetch.request.patienceSeconds)
        do {
            return try attempt(deadline, report)
        } catch {
            let trouble = fetch.trouble(error)
            if fetch.hold(trouble) != .known { trouble.tell(report) }
            sitOut(trouble, deadline)
            return .trouble(trouble, mustAbort: false)
        }
    }

    private func attempt(_ deadline: Deadline, _ report: (String) -> Void) throws -> FetchOutcome {
        guard case .segment(let segment) = fetch.plan else {
            // Histories and the like are there or not; waiting for one would hold up promotion.
            return try fetch.serve() ? .served : .notThere("it is not in the archive")
        }
        if try serve(segment, report) { return .served }
        let wait = FetchWait(archive: fetch.request.archive)
        while true {
            if try serve(segment, report) { return .served }
            let answer = Result { try answerAtOnce(segment) }
            if case .success(nil) = answer {
                // It is where it should be, whatever was wrong before.
                fetch.releaseHold()
            } else if try serve(segment, report) {
                // Segments get their names several at a time: this one did between the two looks.
                return .served
            }
            if let outcome = try answer.get() { return outcome }
            switch try wait.next(until: deadline) {
            case .archiveChanged: continue
            case .promoted, .released: return .notThere("promotion was asked for")
            case .orphaned: return .notThere("the server is gone")
            case .timeIsOver: return .notThere("it is not in the archive yet")
            }
        }
    }

    /// What to say without waiting; nil for the segment that comes next on the newest timeline.
    private func answerAtOnce(_ segment: FetchPlan.Segment) throws -> FetchOutcome? {
        let size = fetch.directory.segmentSize
        let glance = try ArchiveGlance(fetch.request.archive)
        let timeline = segment.name.timeline
        let followed = fetch.newestTimeline(after: timeline)
        if followed != timeline {
            guard let history = try fetch.directory.history(followed), let fork = history.end(of: timeline) else {
                throw unreachable(followed, from: timeline)
            }
            guard size.segmentEnd(of: segment.start) <= fork else {
                return .notThere("the archive has gone on to timeline \(followed)")
            }
            // WAL before the fork: it comes before any of the newer timelines, or not at all.
            let hasGoneOn = glance.last.keys.contains { $0 > timeline && history.contains($0) }
            guard try !hasGoneOn && !fetch.isBeforeOthers(segment) && !fetch.isBeforePartial(segment) else {
                throw fetch.missing(
                    "segment \(segment.name) is not in the archive, though timeline \(followed) goes on from "
                        + "timeline \(timeline) at \(fork)"
                )
            }
        } else if let newest = glance.newestTimeline, newest != timeline {
            guard newest < timeline else { throw unreachable(newest, from: timeline) }
            return .notThere("the archive is on timeline \(newest)")
        } else if let gap = try fetch.gap() {
            throw gap
        }
        if let last = glance.lastNumber(of: segment.name.timeline, size: size),
            size.number(of: segment.start) != last + 1
        {
            return .notThere("it does not come next")
        }
        return nil
    }

    private func unreachable(_ newest: TimelineID, from timeline: TimelineID) -> FetchTrouble {
        let next = TimelineID(timeline.rawValue &+ 1)
        let isCut = !FileTree.exists(fetch.directory.historyPath(of: next))
        return FetchTrouble(
            .missing,
            fetch.request.name,
            "the archive has gone on to timeline \(newest), to which timeline \(timeline) does not lead"
                + (isCut ? ": \(next.historyFileName) is not there" : ""),
            hint: (isCut
                ? "put \(next.historyFileName) into \(fetch.request.archive), if there is one; otherwise " : "")
                + "make the container anew"
        )
    }

    private func serve(_ segment: FetchPlan.Segment, _ report: (String) -> Void) throws -> Bool {
        guard try !isSuperseded(segment) else { return false }
        guard let reader = try fetch.directory.open(segment.name, completeOnly: true) else { return false }
        let prepared = try fetch.delivery(segment).prepare(reader)
        guard let hold = prepared.hold else {
            try prepared.file.publish()
            fetch.releaseHold()
            return true
        }
        // Replay goes up to the record that it must not reach. PostgreSQL keeps what it was given in pg_wal, and reads
        // that again when it is refused. So it is given the segment once after each of its starts, and always where it
        // has no such file, as in a fresh copy.
        let isFirst = fetch.hold(hold) == .news
        if isFirst { hold.tell(report) }
        if prepared.kept > 0, try isFirst || !hasBeenGiven(segment, reader, bytes: prepared.kept) {
            try prepared.file.publish()
            return true
        }
        throw hold
    }

    /// Whether a newer timeline, which the standby is told of, takes this segment's WAL elsewhere.
    ///
    /// PostgreSQL itself would fall back on the parent's copy and replay WAL that the newer timeline does not have.
    private func isSuperseded(_ segment: FetchPlan.Segment) throws -> Bool {
        guard let fork = try fetch.fork(from: segment.name.timeline)?.fork else { return false }
        return fork < fetch.directory.segmentSize.segmentEnd(of: segment.start)
    }

    private func hasBeenGiven(_ segment: FetchPlan.Segment, _ reader: SegmentReader, bytes: UInt64) throws -> Bool {
        let given = FilePath.join(FilePath.parent(of: fetch.request.target), segment.name.description)
        let stored = StoredSegment(name: segment.name, form: .plain, bytes: 0)
        guard let copy = try? SegmentReader(stored, path: given, start: segment.start),
            try copy.fileBytes() == fetch.directory.segmentSize.bytes
        else { return false }
        let original = try fetch.directory.reader(of: reader.stored)
        let end = segment.start.advanced(by: bytes)
        return try withSegmentBuffer { left in
            try withSegmentBuffer { right in
                while original.position < end {
                    let count = Int(min(UInt64(left.count), end.bytes(since: original.position)))
                    let wanted = try original.read(into: UnsafeMutableRawBufferPointer(rebasing: left[..<count]))
                    let found = try copy.read(into: UnsafeMutableRawBufferPointer(rebasing: right[..<count]))
                    guard wanted == found, wanted > 0, left.prefix(wanted).elementsEqual(right.prefix(found)) else {
                        return false
                    }
                }
                return true
            }
        }
    }

    /// Waits out the time, so that a standby that cannot go on asks seldom; ends early where waiting would hold it up.
    private func sitOut(_ trouble: FetchTrouble, _ deadline: Deadline) {
        let wait = FetchWait(archive: fetch.request.archive)
        let mayArrive = trouble.kind == .missing
        while !mayArrive || isStillMissing {
            guard let wake = try? wait.next(until: deadline, archiveMatters: mayArrive) else { return }
            if wake == .archiveChanged { continue }
            // A server that is promoted reads the segment with its last record again: it is news then, and given at
            // once.
            if wake == .promoted { fetch.releaseHold() }
            return
        }
    }

    private var isStillMissing: Bool {
        guard case .segment(let segment) = fetch.plan else { return true }
        do {
            if try fetch.directory.open(segment.name, completeOnly: true) != nil { return false }
            _ = try answerAtOnce(segment)
            return false
        } catch {
            return true
        }
    }
}
