internal import Glibc
internal import Platform
internal import WALFormat

/// Whole partial segments before the last complete one, which only lack their names.
struct StraySegments {
    private let archive: WALDirectory
    private let expectation: SegmentScanner.Expectation

    init(_ archive: WALDirectory, expectation: SegmentScanner.Expectation) {
        self.archive = archive
        self.expectation = expectation
    }

    /// Gives them their names where their records are right; what cannot be read or synced stays as it is.
    func finish(_ strays: [SegmentName]) {
        for name in strays {
            guard let segment = (try? FullSegment(name, in: archive)) ?? nil,
                (try? Descriptor.open(segment.partialPath, O_RDONLY).syncForReading()) != nil,
                (try? isWhole(name)) ?? false
            else { continue }
            try? segment.finish()
        }
    }

    /// Whether its records are right, those that begin in the segment before and end in the next one included.
    private func isWhole(_ name: SegmentName) throws -> Bool {
        let size = archive.segmentSize
        guard let number = name.number(size: size), let start = name.start(size: size) else { return false }
        var expectation = expectation
        expectation.timeline = name.timeline
        let before = number > 0 ? SegmentName(timeline: name.timeline, number: number - 1, size: size) : nil
        let reader = try before.flatMap { try archive.open($0) }
        var scanner = SegmentScanner(
            startingAt: reader == nil ? start : size.start(of: number - 1),
            segmentSize: size,
            expectation: expectation
        )
        if let reader { try scanner.consume(all: reader) }
        for next in [number, number + 1] {
            guard scanner.position == size.start(of: next),
                let reader = try archive.open(SegmentName(timeline: name.timeline, number: next, size: size))
            else { return false }
            try scanner.consume(all: reader)
        }
        return scanner.fault == nil && scanner.position == size.start(of: number + 2)
    }
}
