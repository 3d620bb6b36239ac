import ArchiveModel
import WALFormat

/// Joins surveyed pieces, in their order, to segments, and carries the state from one to the next.
struct SurveyAssembly {
    private(set) var state: SurveyState
    private let source: SurveySource
    /// Of the segment that is being put together.
    private var summary: SegmentSummary?
    private var events: [SurveyEvent] = []
    private var statistics = RecordStatistics()
    private var trouble: SurveyedSegment.Outcome?
    private var stored: StoredSegment?
    private var isJoined: Bool?

    init(_ source: SurveySource, _ state: SurveyState) {
        self.source = source
        self.state = state
    }

    /// Takes the next piece; gives the segment when it was the last of one.
    mutating func append(
        _ piece: SurveyedPiece,
        of place: SurveyPieces.Piece,
        isLast: Bool,
        reread: (SurveyState.Border) -> SurveyedPiece
    ) -> SurveyedSegment? {
        var last = piece
        if trouble == nil {
            last = fitted(piece, place, reread)
            take(last, place)
        }
        guard isLast else { return nil }
        defer {
            (summary, trouble, stored, isJoined) = (nil, nil, nil, nil)
            events = []
            statistics = RecordStatistics()
        }
        return SurveyedSegment(
            name: piece.name,
            stored: stored,
            outcome: trouble ?? .valid,
            summary: summary,
            events: events,
            statistics: statistics,
            openRecord: last.openRecord,
            reach: last.scan?.position ?? place.start,
            isJoined: isJoined ?? false
        )
    }

    /// The piece itself, or read again from the border on where it does not go on from there.
    private func fitted(
        _ piece: SurveyedPiece,
        _ place: SurveyPieces.Piece,
        _ reread: (SurveyState.Border) -> SurveyedPiece
    ) -> SurveyedPiece {
        guard let scan = piece.scan, let border = state.border else { return piece }
        switch state.joint(scan) {
        case .joined: return piece
        case .broken: return reread(border)
        case .covered:
            // Whoever followed the record before has seen all pages of this piece, or it is behind a segment switch.
            var covered = piece
            covered.scan = nil
            covered.openRecord = nil
            if case .damaged? = piece.trouble { covered.trouble = piece.wrongLength.map { .wrongSize($0) } }
            if case .partial? = piece.trouble { covered.trouble = .partial(nil) }
            return covered
        }
    }

    private mutating func take(_ piece: SurveyedPiece, _ place: SurveyPieces.Piece) {
        stored = stored ?? piece.stored
        isJoined = isJoined ?? (state.border != nil)
        trouble = piece.trouble
        if piece.stored != nil, summary == nil { summary = SegmentSummary(segment: piece.name, end: place.start) }
        if let scan = piece.scan {
            if let found = scan.systemIdentifier, let known = state.systemIdentifier, found != known {
                trouble = .damaged(ScanFault(.badSystemIdentifier(found), at: place.start))
            } else {
                events += state.append(scan) { [source] in source.path.timeline(at: $0) }
                summary?.append(scan.survey.summary)
                statistics.add(scan.survey.statistics)
            }
        }
        switch trouble {
        case nil, .valid?, .partial?: break
        case .missing?, .wrongSize?, .damaged?, .unreadable?: state.breakOff()
        }
    }
}
