import WALFormat

/// The work of a survey: segments, the large ones in pieces, in order.
struct SurveyPieces: Sequence {
    struct Piece: Hashable, Sendable {
        /// Which one it is, from 0.
        let index: UInt64
        /// The segment's number.
        let segment: UInt64
        let start: LSN
        let limit: LSN
    }

    private let segments: ClosedRange<UInt64>
    private let segmentSize: SegmentSize
    private let pieceBytes: UInt64
    private let perSegment: UInt64

    init(_ segments: ClosedRange<UInt64>, segmentSize: SegmentSize, pieceBytes: UInt64) {
        self.segments = segments
        self.segmentSize = segmentSize
        self.pieceBytes = pieceBytes & ~8191
        self.perSegment = (segmentSize.bytes + self.pieceBytes - 1) / self.pieceBytes
    }

    /// Never zero.
    var count: UInt64 {
        let (count, overflow) = (segments.upperBound &- segments.lowerBound)
            .multipliedReportingOverflow(by: perSegment)
        return overflow ? .max : count.addingReportingOverflow(perSegment).overflow ? .max : count &+ perSegment
    }

    subscript(index: UInt64) -> Piece? {
        guard index < count else { return nil }
        let segment = segments.lowerBound &+ index / perSegment
        let first = segmentSize.start(of: segment)
        let start = first.advanced(by: index % perSegment &* pieceBytes)
        return Piece(
            index: index,
            segment: segment,
            start: start,
            limit: Swift.min(start.advanced(by: pieceBytes), first.advanced(by: segmentSize.bytes))
        )
    }

    func isLastOfSegment(_ piece: Piece) -> Bool { piece.index % perSegment == perSegment &- 1 }

    func makeIterator() -> AnyIterator<Piece> {
        var index: UInt64 = 0
        return AnyIterator {
            defer { index &+= 1 }
            return self[index]
        }
    }
}
