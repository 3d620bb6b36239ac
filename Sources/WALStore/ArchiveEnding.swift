internal import WALFormat

/// Which files are the end of an archive, or of what comes before a hole in it, by their names.
struct ArchiveEnding: Equatable {
    let timeline: TimelineID
    /// The last complete segment of the timeline.
    let complete: SegmentName?
    /// The partial segments that follow it without a gap.
    let partials: [SegmentName]
    /// Partial segments before the last complete one.
    let strays: [SegmentName]
    /// Partial segments of which there is a complete one too.
    let doubles: [SegmentName]
    /// Where the first partial segment begins, or would begin.
    let partialsStart: LSN
    /// Where the first segment is missing between complete ones, or partial ones and a complete one.
    let firstHole: LSN?

    /// - Parameter hole: nothing counts from this segment on but partial segments.
    init?(
        _ names: [ArchiveFileName],
        suspects: [SegmentName] = [],
        hole: SegmentName? = nil,
        segmentSize: SegmentSize
    ) {
        guard let timeline = hole?.timeline ?? names.compactMap({ $0.segment?.timeline }).max() else { return nil }
        var completes: Set<UInt64> = []
        var partials: Set<UInt64> = []
        for name in names {
            guard let segment = name.segment, segment.timeline == timeline,
                let number = segment.number(size: segmentSize)
            else { continue }
            switch name {
            case .partialSegment: partials.insert(number)
            case .compressedPartialSegment: continue
            default: completes.insert(number)
            }
        }
        let last: UInt64?
        var first: UInt64
        if let number = hole?.number(size: segmentSize) {
            first = number
            last = number > 0 && completes.contains(number - 1) ? number - 1 : nil
        } else {
            last = completes.max()
            guard let next = last.map({ $0 + 1 }) ?? partials.min() else { return nil }
            first = next
            // What was set aside at the beginning of an archive or timeline is to be received anew before what follows.
            let lost = Set(suspects.filter { $0.timeline == timeline }.compactMap { $0.number(size: segmentSize) })
            while last == nil, first > 0, lost.contains(first - 1) { first -= 1 }
        }
        var run: [SegmentName] = []
        var next = first
        while partials.contains(next) {
            run.append(SegmentName(timeline: timeline, number: next, size: segmentSize))
            next += 1
        }
        self.timeline = timeline
        self.complete = last.map { SegmentName(timeline: timeline, number: $0, size: segmentSize) }
        self.partials = run
        self.strays = partials.subtracting(completes).filter { $0 < last ?? 0 }.sorted().map {
            SegmentName(timeline: timeline, number: $0, size: segmentSize)
        }
        self.doubles = partials.intersection(completes).sorted().map {
            SegmentName(timeline: timeline, number: $0, size: segmentSize)
        }
        self.partialsStart = segmentSize.start(of: first)
        var missing = min(completes.min() ?? 0, partials.min() ?? .max)
        while completes.contains(missing) { missing += 1 }
        firstHole = missing < last ?? 0 ? segmentSize.start(of: missing) : nil
    }
}
