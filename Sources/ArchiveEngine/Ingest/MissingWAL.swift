internal import Platform
internal import PostgresLink
internal import WALFormat
internal import WALStore

/// Segments that are missing here before others, and gone upstream: received is what follows.
struct MissingWAL {
    private(set) var first: SegmentName?
    private(set) var last: SegmentName?
    /// The end of `last`.
    private(set) var end = LSN.invalid
    private var reason: String?
    private var lookedSeconds = -Double.infinity

    mutating func add(_ segment: SegmentName, end: LSN) {
        first = first ?? segment
        last = segment
        self.end = max(self.end, end)
    }

    /// For people; nil while nothing is missing, or all of it is here after all.
    ///
    /// The archive is looked at now and then.
    mutating func reason(in directory: String, _ segmentSize: SegmentSize) -> String? {
        let now = SystemClock.monotonicSeconds()
        guard let first, let last, now >= lookedSeconds + 5 else { return reason }
        lookedSeconds = now
        let archive = WALDirectory(directory, segmentSize: segmentSize)
        let isHere = [first, last].allSatisfy { (try? archive.locate($0, completeOnly: true)) ?? nil != nil }
        let names = first == last ? "segment \(first) is" : "segments \(first) to \(last) are"
        reason = isHere ? nil : "\(names) missing here and gone upstream: 'wal_archive verify' says what that costs"
        return reason
    }
}

extension ReceiverOptions {
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
