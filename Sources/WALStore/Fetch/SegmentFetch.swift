import ArchiveModel
import Platform
import WALFormat

/// A restore_command: gives PostgreSQL the segment or history file that it asks for, and no more than it may have.
///
/// What is served was verified first. "Not there" is said only where it is proven: PostgreSQL takes it for the end of
/// WAL. The standby's form (`StandbyFetch`) waits; this one serves clones and restores.
package struct SegmentFetch {
    let request: FetchRequest
    let directory: WALDirectory
    let plan: FetchPlan

    package init(_ request: FetchRequest) {
        self.request = request
        let size = request.segmentSize ?? Self.segmentSize(request)
        self.directory = WALDirectory(request.archive, segmentSize: size)
        self.plan = FetchPlan(request, segmentSize: size)
    }

    /// Carries out the request.
    ///
    /// - Parameter report: is told what people should know, one line at a time.
    /// - Returns: what PostgreSQL must be told.
    package func run(report: (String) -> Void) -> FetchOutcome {
        switch plan {
        case .badName:
            return .badName(
                "'\(request.name)' is not the name of a WAL segment or timeline history",
                mustAbort: !request.waits
            )
        case .refused(let reason):
            markEnd()
            return .notThere(reason)
        case .history, .takenTimeline, .backupHistory, .segment:
            return request.waits ? StandbyFetch(self).run(report: report) : serveWithPatience(report: report)
        }
    }

    /// A standby asks again by itself, and may be fed from elsewhere meanwhile.
    private var isStandby: Bool { request.isPlain && FileTree.exists("standby.signal") }

    private func serveWithPatience(report: (String) -> Void) -> FetchOutcome {
        if case .segment(let segment) = plan, noteEndBeforeServing(segment) { return .notThere("its end has moved") }
        let deadline = Deadline(seconds: isStandby ? 0 : request.patienceSeconds)
        while true {
            let trouble: FetchTrouble
            do {
                if try serve() { return .served }
                guard let gap = try gap() else { return .notThere("it is not in the archive") }
                trouble = gap
            } catch {
                trouble = self.trouble(error)
            }
            guard trouble.mayPass, !deadline.hasPassed else {
                trouble.tell(report)
                return .trouble(trouble, mustAbort: !isStandby)
            }
            SystemClock.sleep(seconds: 0.1)
        }
    }

    // MARK: - Serving

    /// Serves what was asked for if the archive has it.
    ///
    /// - Returns: false when it does not have it.
    /// - Throws: `FetchTrouble` and whatever the archive's files throw.
    func serve() throws -> Bool {
        switch plan {
        case .badName, .refused: return false
        case .backupHistory: return try serveText(FilePath.join(request.archive, request.name))
        case .history(let timeline, _): return try serveHistory(timeline)
        case .takenTimeline(let timeline): return try serveTaken(timeline)
        case .segment(let segment):
            if request.takesAhead, FetchAhead.take(segment, for: request.target) { return true }
            guard let reader = try directory.open(segment.name, completeOnly: !segment.needed && !request.isPlain)
            else { return false }
            if request.isPlain {
                if let trouble = try divergence(segment) { throw trouble }
                if !reader.stored.form.isComplete,
                    try isBeforeOthers(segment)
                        || isLeftLater(segment).map({ try !hasOwn(segment, $0.timeline) }) ?? false
                {
                    return false
                }
            }
            let prepared = try delivery(segment).prepare(reader)
            if let hold = prepared.hold { throw hold }
            guard prepared.kept > 0 else { return false }
            try prepared.file.publish()
            return true
        }
    }

    func delivery(_ segment: FetchPlan.Segment) -> SegmentDelivery {
        SegmentDelivery(
            directory: directory,
            segment: segment,
            target: request.target,
            systemIdentifier: request.systemIdentifier,
            isChecked: request.isChecked,
            endsInPartial: request.isPlain,
            guardsTablespaces: request.waits || request.until != nil
        )
    }

    private func serveHistory(_ timeline: TimelineID) throws -> Bool {
        // A file that cannot be read as a history throws here.
        guard try directory.history(timeline) != nil else { return false }
        let file = directory.historyPath(of: timeline)
        if request.waits {
            // Whoever follows a timeline must not be left with one that a power cut takes from the archive.
            try DurableFile.syncFile(file)
            try DurableFile.syncDirectory(request.archive)
        }
        return try serveText(file)
    }

    /// PostgreSQL asks for history after history until one is not there, and only whether they are.
    private func serveTaken(_ timeline: TimelineID) throws -> Bool {
        guard let newest = try ArchiveGlance(request.archive).newestTimeline, newest >= timeline else { return false }
        let file = try FetchTarget(request.target)
        try file.write(Array("# The archive has timeline \(newest): a new one comes after it.\n".utf8))
        try file.publish()
        return true
    }

    private func serveText(_ path: String) throws -> Bool {
        let bytes: [UInt8]
        do throws(SystemError) { bytes = try FileTree.read(path, limit: 1 << 20) } catch {
            guard error.isNotFound else { throw error }
            return false
        }
        let file = try FetchTarget(request.target)
        try file.write(bytes)
        try file.publish()
        return true
    }

    // MARK: - What is not there

    /// Why the absence of what was asked for is no end of the archive; nil when it is one.
    func gap() throws -> FetchTrouble? {
        switch plan {
        case .badName, .refused, .takenTimeline: return nil
        case .backupHistory: return try emptiness()
        case .history(let timeline, let needed):
            guard needed else { return try emptiness() }
            return missing("the history of timeline \(timeline), to which this recovery goes, is not in the archive")
        case .segment(let segment):
            if segment.needed {
                return missing("segment \(segment.name) is not in the archive and is needed up to \(segment.limit)")
            }
            if try isBeforeOthers(segment) || isBeforePartial(segment) {
                return missing("segment \(segment.name) is not in the archive, though later ones are")
            }
            // A standby goes over to the newer timeline when it gets no more of this one.
            if let newer = try isLeftLater(segment), try !(isStandby && hasOwn(segment, newer.timeline)) {
                return missing(
                    "segment \(segment.name) is not in the archive, though timeline \(newer.timeline) goes on from "
                        + "timeline \(segment.name.timeline) at \(newer.fork)"
                )
            }
            return try emptiness()
        }
    }

    /// An archive that is not mounted is no proof of an end, nor is one that holds nothing.
    private func emptiness() throws -> FetchTrouble? {
        guard try ArchiveGlance(request.archive).newestTimeline == nil, request.isPlain else { return nil }
        return FetchTrouble(
            .missing,
            request.name,
            "there is no WAL in \(request.archive)",
            hint: "mount it; where nothing was ever archived, recover without restore_command"
        )
    }

    /// Why a segment is not served in which the archive's newest timeline leaves this one.
    ///
    /// PostgreSQL, which follows the newest, asks for its parent's copy where its own is not there, and would replay
    /// WAL of another history.
    private func divergence(_ segment: FetchPlan.Segment) throws -> FetchTrouble? {
        guard let (newest, fork) = try fork(from: segment.name.timeline), segment.start <= fork,
            fork < directory.segmentSize.segmentEnd(of: segment.start)
        else { return nil }
        guard try !hasOwn(segment, newest) else { return nil }
        let own = SegmentName(timeline: newest, containing: segment.start, size: directory.segmentSize)
        return FetchTrouble(
            .missing,
            request.name,
            "timeline \(newest) leaves timeline \(segment.name.timeline) within segment \(segment.name), and its own "
                + "copy \(own) is not in the archive",
            hint: "wait until it is archived; to recover along timeline \(segment.name.timeline), move "
                + "\(newest.historyFileName) away"
        )
    }

    /// As PostgreSQL looks for the newest timeline: number by number, until a history file is not there.
    func newestTimeline(after timeline: TimelineID) -> TimelineID {
        var newest = timeline
        while newest.rawValue < UInt32.max {
            let next = TimelineID(newest.rawValue + 1)
            guard FileTree.exists(directory.historyPath(of: next)) else { break }
            newest = next
        }
        return newest
    }

    /// Where the newest timeline leaves this one; nil where it does not come from it, or is this one.
    func fork(from timeline: TimelineID) throws -> (timeline: TimelineID, fork: LSN)? {
        let newest = newestTimeline(after: timeline)
        guard newest != timeline, let fork = try directory.history(newest)?.end(of: timeline) else { return nil }
        return (newest, fork)
    }

    func missing(_ text: String) -> FetchTrouble {
        FetchTrouble(
            .missing,
            request.name,
            text,
            hint: "put the missing file into \(request.archive), or recover to a point before it"
        )
    }

    func isBeforeOthers(_ segment: FetchPlan.Segment) throws -> Bool {
        let size = directory.segmentSize
        let number = size.number(of: segment.start)
        let timeline = segment.name.timeline
        let glance = try ArchiveGlance(request.archive)
        let followers = request.path?.legs.map(\.timeline).filter { $0 >= timeline } ?? [timeline]
        return try followers.contains { (glance.lastNumber(of: $0, size: size) ?? 0) > number }
            && !isBeforeItsTimeline(segment)
    }

    /// A partial segment behind one that is in no form there, as a promoted server archives its parent's last one.
    func isBeforePartial(_ segment: FetchPlan.Segment) throws -> Bool {
        let size = directory.segmentSize
        // Taken before the look: whatever is begun by then has its forerunners in some form.
        let glance = try ArchiveGlance(request.archive)
        guard let last = glance.last[segment.name.timeline]?.number(size: size), last > size.number(of: segment.start)
        else { return false }
        return try directory.locate(segment.name) == nil && !isBeforeItsTimeline(segment)
    }

    /// The timeline that leaves this one behind the segment's start, which is proof that there was more.
    private func isLeftLater(_ segment: FetchPlan.Segment) throws -> (timeline: TimelineID, fork: LSN)? {
        guard request.path == nil, let newer = try fork(from: segment.name.timeline), segment.start < newer.fork else {
            return nil
        }
        return try isBeforeItsTimeline(segment) ? nil : newer
    }

    /// Whether a newer timeline has this segment, too: the one in which it leaves its parent.
    private func hasOwn(_ segment: FetchPlan.Segment, _ newer: TimelineID) throws -> Bool {
        try directory.locate(SegmentName(timeline: newer, containing: segment.start, size: directory.segmentSize))
            != nil
    }

    /// PostgreSQL asks the newest timeline first, also for WAL that only its ancestors have.
    private func isBeforeItsTimeline(_ segment: FetchPlan.Segment) throws -> Bool {
        guard request.path == nil, let begin = try directory.history(segment.name.timeline)?.parent?.end else {
            return false
        }
        return segment.start < directory.segmentSize.segmentStart(of: begin)
    }

    func trouble(_ error: any Error) -> FetchTrouble {
        if let trouble = error as? FetchTrouble { return trouble }
        let isDamage = error is StoreError || error is FormatError
        return FetchTrouble(
            isDamage ? .corrupt : .system,
            request.name,
            "\(request.name) cannot be served: \(error)",
            hint: isDamage
                ? "put an intact copy of the file in its place, if there is one"
                : "see to the archive's disk, and to who may read it and write to the target"
        )
    }
}
