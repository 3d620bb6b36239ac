internal import Platform
internal import PostgresLink
internal import WALFormat
internal import WALStore

/// Segments that are needed and missing here before where a stream begins: it does not bring them any more.
///
/// They are found by the names alone, each time one begins: nothing has to be remembered of what was lost.
struct MissingWAL {
    private let archive: WALDirectory
    private let neededFrom: (@Sendable () -> LSN?)?
    /// The first and the last one are missing; of the others some may be here by now.
    private var segments: ArraySlice<SegmentName>
    private var reason: String?
    private var lookedSeconds = -Double.infinity

    init(_ segments: [SegmentName], in archive: WALDirectory, neededFrom: (@Sendable () -> LSN?)?) {
        self.archive = archive
        self.neededFrom = neededFrom
        self.segments = segments[...]
    }

    /// For people; nil while nothing is missing, or all of it is here after all, or needed no longer.
    ///
    /// The archive is looked at now and then.
    mutating func alarm() -> String? {
        let now = SystemClock.monotonicSeconds()
        guard !segments.isEmpty, now >= lookedSeconds + 5 else { return reason }
        lookedSeconds = now
        let from = neededFrom?() ?? .invalid
        while let name = segments.first, isHere(name) || isBefore(from, name) { segments.removeFirst() }
        while let name = segments.last, isHere(name) { segments.removeLast() }
        reason = text
        return reason
    }

    private func isHere(_ name: SegmentName) -> Bool {
        // What cannot be looked at is not known to be here.
        (try? archive.locate(name, completeOnly: true)) != nil
    }

    private func isBefore(_ position: LSN, _ name: SegmentName) -> Bool {
        guard let start = name.start(size: archive.segmentSize) else { return false }
        return start < archive.segmentSize.segmentStart(of: position)
    }

    private var text: String? {
        guard let first = segments.first, let last = segments.last else { return nil }
        let what =
            first == last
            ? "segment \(first) is missing here and gone upstream"
            : "segments are missing here and gone upstream, the first \(first), the last \(last)"
        return "\(what): 'wal_archive verify' says what that costs"
    }
}

extension ReceiverOptions {
    /// What is missing here of what is needed, before a stream that begins at `start`.
    func missing(before start: LSN, _ history: TimelineHistory, _ segmentSize: SegmentSize) throws -> MissingWAL {
        var here: Set<SegmentName> = []
        for file in try FileTree.list(directory) {
            switch ArchiveFileName(file) {
            case .segment(let name), .compressedSegment(let name, _): here.insert(name)
            default: continue
            }
        }
        let oldest = here.lazy.filter { history.contains($0.timeline) }.compactMap { $0.start(size: segmentSize) }
        let archive = WALDirectory(directory, segmentSize: segmentSize)
        guard let from = neededFrom?() ?? oldest.min() else {
            return MissingWAL([], in: archive, neededFrom: neededFrom)
        }
        let needed = RetainedSegments(
            history: history,
            segmentSize: segmentSize,
            start: segmentSize.segmentStart(of: from),
            end: segmentSize.segmentStart(of: start)
        )
        return MissingWAL(needed.allMissing { here.contains($0) }, in: archive, neededFrom: neededFrom)
    }

    /// The first of the segments that is missing here, by a look at the names, and where the archive ends before it.
    func firstHole(_ segments: RetainedSegments) throws -> (SegmentName, before: ArchiveTail)? {
        let archive = WALDirectory(directory, segmentSize: segments.segmentSize)
        let hole = try segments.firstMissing { try archive.locate($0, completeOnly: true) != nil }
        guard let hole else { return nil }
        let before = try ArchiveTail.find(
            directory: directory,
            segmentSize: segments.segmentSize,
            systemIdentifier: systemIdentifier,
            syncs: syncs,
            hole: hole
        )
        return before.map { (hole, $0) }
    }
}

extension ArchivePosition {
    init(_ tail: ArchiveTail) {
        self.init(
            timeline: tail.timeline,
            request: tail.request,
            recordEnd: tail.recordEnd,
            isKnown: tail.isKnown,
            completeEnd: tail.completeEnd,
            firstHole: tail.firstHole
        )
    }
}
