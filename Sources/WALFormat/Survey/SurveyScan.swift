/// The scan of one piece of WAL: validates and surveys the records that begin in it, to the end of the last of them.
///
/// Pure: `wanted` says which bytes come next, `consume` takes them. A record that begins before the piece's limit is
/// followed beyond it, into the next segment too; what begins at the limit or later is the next piece's.
package struct SurveyScan: Sendable {
    package let limit: LSN
    package var survey: SegmentSurvey
    package private(set) var scanner: SegmentScanner
    /// Of the first page.
    package private(set) var firstTimeline: TimelineID?

    /// The piece from `start`, a page's boundary, up to `limit`, a later one of the same segment.
    ///
    /// `memory` is a survey that is not needed any more.
    package init(
        _ segment: SegmentName,
        from start: LSN,
        upTo limit: LSN,
        segmentSize: SegmentSize,
        expectation: SegmentScanner.Expectation,
        reusing memory: consuming SegmentSurvey? = nil
    ) {
        self.limit = limit
        survey = memory.take() ?? SegmentSurvey(segment, start: start)
        survey.reset(segment, start: start)
        scanner = SegmentScanner(startingAt: start, segmentSize: segmentSize, expectation: expectation)
    }

    /// The same piece, but scanned from the border on: for pieces that do not fit to it.
    package init(
        _ segment: SegmentName,
        from border: SurveyState.Border,
        upTo limit: LSN,
        segmentSize: SegmentSize,
        expectation: SegmentScanner.Expectation
    ) {
        self.limit = limit
        survey = SegmentSurvey(segment, start: border.end)
        scanner = SegmentScanner(startingAt: border.end, segmentSize: segmentSize, expectation: expectation)
        scanner.lastRecordStart = border.lastRecord
        scanner.pageTimeline = border.timeline
        scanner.major = expectation.major ?? border.major
        firstTimeline = border.timeline
    }

    package var segmentSize: SegmentSize { scanner.segmentSize }
    package var fault: ScanFault? { scanner.fault }
    package var position: LSN { scanner.position }
    package var systemIdentifier: UInt64? { scanner.systemIdentifier }
    package var lastTimeline: TimelineID? { scanner.pageTimeline }
    /// The record that began before the limit and is not complete.
    package var openRecord: LSN? { scanner.openRecordStart }

    /// Where the next bytes are wanted from, and how many at most; nil when the piece is done, or has a fault.
    package var wanted: (position: LSN, count: UInt64)? {
        guard scanner.fault == nil, !scanner.stopped else { return nil }
        let position = scanner.position
        if firstTimeline == nil { return (position, UInt64(scanner.headerSize)) }
        if position < limit { return (position, limit.bytes(since: position)) }
        guard scanner.openRecordStart != nil else { return nil }
        // Page by page, the header by itself: it may say that the open record was never finished.
        let offset = position.rawValue & UInt64(PageHeader.pageSize - 1)
        let header = UInt64(scanner.headerSize)
        return (position, offset < header ? header &- offset : UInt64(PageHeader.pageSize) &- offset)
    }

    /// Another timeline may be met from here on: the next segment's.
    package mutating func expect(_ timeline: TimelineID) { scanner.expectation.timeline = timeline }

    /// Takes bytes from the wanted position on, not more than wanted.
    package mutating func consume(_ bytes: UnsafeRawBufferPointer) {
        Self.feed(&scanner, &survey, bytes, limit)
        if firstTimeline == nil { firstTimeline = scanner.pageTimeline }
    }

    private static func feed(
        _ scanner: inout SegmentScanner,
        _ survey: inout SegmentSurvey,
        _ bytes: UnsafeRawBufferPointer,
        _ limit: LSN
    ) {
        let major = scanner.major ?? .v15
        scanner.consume(bytes) { record, body in
            if record.start < limit { survey.visit(record, body: body, major: major) }
            return record.end < limit ? .proceed : .stop
        }
    }
}
