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
            if fetch.hold(trouble) { trouble.tell(report) }
            sitOut(deadline)
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
            if let outcome = try answerAtOnce(segment) { return outcome }
            switch try wait.next(until: deadline) {
            case .archiveChanged: continue
            case .promoted: return .notThere("promotion was asked for")
            case .orphaned: return .notThere("the server is gone")
            case .timeIsOver: return .notThere("it is not in the archive yet")
            }
        }
    }

    /// What to say without waiting; nil for the segment that comes next on the newest timeline.
    private func answerAtOnce(_ segment: FetchPlan.Segment) throws -> FetchOutcome? {
        let size = fetch.directory.segmentSize
        let glance = try ArchiveGlance(fetch.request.archive)
        if let newest = glance.newestTimeline, newest != segment.name.timeline {
            return .notThere("the archive has gone on to timeline \(newest)")
        }
        if let gap = try fetch.gap() { throw gap }
        if let last = glance.lastNumber(of: segment.name.timeline, size: size),
            size.number(of: segment.start) != last + 1
        {
            return .notThere("it does not come next")
        }
        return nil
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
        let isFirst = fetch.request.holdFile != nil && fetch.hold(hold)
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
        // As PostgreSQL looks for the newest timeline: number by number, until a history file is not there.
        var newest = segment.name.timeline
        while newest.rawValue < UInt32.max {
            let next = TimelineID(newest.rawValue + 1)
            guard FileTree.exists(fetch.directory.historyPath(of: next)) else { break }
            newest = next
        }
        guard newest != segment.name.timeline else { return false }
        guard let fork = try fetch.directory.history(newest)?.end(of: segment.name.timeline) else { return false }
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
    private func sitOut(_ deadline: Deadline) {
        let wait = FetchWait(archive: fetch.request.archive)
        // A server that is promoted reads the segment with its last record again: it is news then, and given at once.
        if let wake = try? wait.next(until: deadline, archiveMatters: false), wake == .promoted {
            fetch.releaseHold()
        }
    }
}
