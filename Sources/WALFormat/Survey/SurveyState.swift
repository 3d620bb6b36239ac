/// A survey as it stands between two records: what is open, and where the next record has to begin.
///
/// It can be saved, and the survey goes on from it without rereading.
package struct SurveyState: Hashable, Sendable, Codable {
    /// The join to what comes next; nil at the start, after a gap, and after a fault: what follows begins anew.
    package internal(set) var border: Border?
    /// Transactions with effects that have not ended.
    package internal(set) var open: [UInt32: TransactionEffects] = [:]
    /// There was no room for the effects of some transaction: an event of it may be missing or its rows too few.
    package internal(set) var isLimited = false
    /// Of all WAL so far.
    package internal(set) var systemIdentifier: UInt64?
    /// How many effects `open` holds.
    private var size = 0

    package struct Border: Hashable, Sendable, Codable {
        package let lastRecord: LSN
        /// The end of the last record; a page's header may come between it and the next.
        package let end: LSN
        /// Of the newest page so far.
        package let timeline: TimelineID?
        package let major: PostgresMajor?
    }

    /// How a piece of WAL fits to the border.
    package enum Joint: Sendable {
        /// It goes on where the border is, or there is no border.
        case joined
        /// The last record before reaches to its end, or beyond: nothing begins in it.
        case covered
        /// Its first record is not the one that has to follow: only a scan from the border on can tell why.
        case broken
    }

    /// All effects in `open` that are kept: some ten megabytes.
    private static let limit = 1 << 17
    /// As much as one event lists.
    package static let listed = 1000

    package init() {}

    package func joint(_ scan: borrowing SurveyScan) -> Joint {
        guard let border else { return .joined }
        let next = border.next(scan.segmentSize)
        if next >= scan.limit { return .covered }
        let facts = scan.survey.facts
        let isNext = facts.firstRecord == next && facts.firstPrevious == border.lastRecord
        let goesBack = border.timeline.flatMap { last in scan.firstTimeline.map { $0 < last } } ?? false
        return isNext && !goesBack ? .joined : .broken
    }

    /// Forgets the join, where WAL is missing or damaged.
    package mutating func breakOff() { border = nil }

    /// Takes in the piece that follows; gives its events, by position.
    package mutating func append(_ scan: borrowing SurveyScan, timeline: (LSN) -> TimelineID) -> [SurveyEvent] {
        let events = append(scan.survey)
        systemIdentifier = systemIdentifier ?? scan.systemIdentifier
        if let last = scan.survey.last {
            border = Border(
                lastRecord: last.start,
                end: last.end,
                timeline: scan.lastTimeline,
                major: scan.scanner.major
            )
        }
        return events.map { event in
            var event = event
            event.timeline = timeline(event.start)
            return event
        }
    }

    private mutating func append(_ survey: borrowing SegmentSurvey) -> [SurveyEvent] {
        var events = survey.events
        for end in survey.ends {
            guard end.isNotable || !open.isEmpty else { continue }
            let ids = [end.transactionID] + survey.subtransactions[end.subtransactions]
            var effects = TransactionEffects(transactionID: end.transactionID)
            let hasEarlier = take(ids, into: &effects)
            guard end.isCommit, end.isNotable || hasEarlier else { continue }
            for id in ids {
                if let part = survey.table.effects(of: id) { effects.append(part) }
            }
            let commit = CommittedEffects(
                end,
                effects,
                removed: survey.removed[end.removed],
                dropped: survey.dropped[end.dropped]
            )
            events += commit.events(listed: Self.listed)
        }
        for part in survey.table.open { keep(part) }
        if let oldest = survey.oldestRunning {
            for id in open.keys where transactionID(id, precedes: oldest) { _ = take(id) }
        }
        return events.sorted { $0.start < $1.start }
    }

    private mutating func take(_ ids: [UInt32], into effects: inout TransactionEffects) -> Bool {
        var found = false
        if open.isEmpty { return false }
        for id in ids {
            guard let part = take(id) else { continue }
            effects.append(part)
            found = true
        }
        return found
    }

    private mutating func take(_ id: UInt32) -> TransactionEffects? {
        guard let part = open.removeValue(forKey: id) else { return nil }
        size -= part.size
        return part
    }

    private mutating func keep(_ effects: TransactionEffects) {
        var whole = take(effects.transactionID) ?? TransactionEffects(transactionID: effects.transactionID)
        if size + whole.size + effects.size <= Self.limit {
            whole.append(effects)
            // In one order, however the WAL was divided.
            whole.files.sort { $0.file.sortKey < $1.file.sortKey }
            whole.notes.sort { $0.position < $1.position }
        } else {
            isLimited = true
        }
        size += whole.size
        open[whole.transactionID] = whole
    }
}

extension RelationFile {
    fileprivate var sortKey: (UInt32, UInt32, UInt32) { (tablespace, database, number) }
}

extension TransactionEffects {
    fileprivate var size: Int { 1 + files.count + notes.count }
}

extension SurveyState.Border {
    /// Where the next record begins.
    package func next(_ segmentSize: SegmentSize) -> LSN {
        guard end.rawValue & UInt64(PageHeader.pageSize - 1) == 0 else { return end }
        return end.advanced(by: UInt64(PageHeader.size(at: end.rawValue, segmentSize: segmentSize.bytes)))
    }
}
