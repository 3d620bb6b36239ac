package import ArchiveModel
import Glibc
import Platform
package import WALFormat
import WALStore

/// Brings an index up to the WAL archive as it is.
package struct Indexing: Sendable {
    let container: Container
    /// Told after each batch how many segments were read.
    var advanced: @Sendable (UInt64) -> Void = { _ in }
    /// Asked between batches; what was read until then stays.
    var mayGoOn: @Sendable () -> Bool = { true }

    package init(
        _ container: Container,
        advanced: @escaping @Sendable (UInt64) -> Void = { _ in },
        mayGoOn: @escaping @Sendable () -> Bool = { true }
    ) {
        self.container = container
        self.advanced = advanced
        self.mayGoOn = mayGoOn
    }

    package struct Outcome: Codable, Hashable, Sendable {
        package var segmentsRead: UInt64 = 0
        package var segmentsRemoved: UInt64 = 0
        /// Nothing is left that can be done now.
        package var isComplete = true
    }

    /// So many segments are one transaction, and from so many to so many the survey's state is kept.
    static let batch: UInt64 = 64

    /// What there is to do.
    func plan(_ present: PresentSegments) -> IndexPlan {
        IndexPlan(present: present.complete, rows: present.rows, outdated: present.outdated)
    }

    func run(_ index: IndexDatabase, _ plan: IndexPlan, _ present: PresentSegments) throws -> Outcome {
        var outcome = Outcome()
        if !plan.remove.isEmpty {
            // While much has to be read, events that need names may not be there yet.
            try remove(plan.remove, withNames: plan.segmentsToRead < Self.batch, from: index, &outcome)
        }
        for run in plan.read {
            guard outcome.isComplete else { break }
            try read(run, of: present, into: index, &outcome)
        }
        return outcome
    }

    private func remove(
        _ runs: [IndexPlan.Run],
        withNames: Bool,
        from index: IndexDatabase,
        _ outcome: inout Outcome
    ) throws {
        try index.database.transaction {
            for run in runs {
                try index.remove(run)
                outcome.segmentsRemoved += run.numbers.upperBound - run.numbers.lowerBound + 1
            }
            if withNames, let first = try index.firstNumber() {
                try index.removeNames(before: container.segmentSize.start(of: first))
            }
        }
    }

    private func read(
        _ run: IndexPlan.Run,
        of present: PresentSegments,
        into index: IndexDatabase,
        _ outcome: inout Outcome
    ) throws {
        let path = try container.path(to: run.timeline)
        let last = run.numbers.upperBound
        let isNewest = run.timeline == present.newestTimeline && last == present.complete[run.timeline]?.last
        let survey = WALSurvey(container.walDirectory, along: path, expectation: container.expectation)
        var state = try index.survey(before: run.numbers.lowerBound, path, container)
        var number = run.numbers.lowerBound
        while number <= last {
            guard mayGoOn() else {
                outcome.isComplete = false
                return
            }
            // The last one by itself: it may not be ready yet, and then what is before it stays as it was.
            let end = number == last ? last : min(number | (Self.batch - 1), last - 1)
            if number == last, isNewest, !present.isThere(last &+ 1, of: run.timeline),
                let held = try index.heldBack(run.timeline), held == present.file(last, of: run.timeline)?.held
            {
                return
            }
            var found: [IndexedSegment] = []
            try survey.run(number...end, from: &state) { segment in
                guard segment.name.timeline == run.timeline, let row = try IndexedSegment(segment, container),
                    row.openRecord == nil || !isNewest || row.number < last
                else { return .stop }
                found.append(row)
                return .proceed
            }
            let isWhole = found.last?.number == end
            try index.database.transaction {
                for segment in found { try index.insert(segment) }
                if isWhole { try index.setSurvey(state, after: end, of: run.timeline) }
                // What it waits for is not there.
                if !isWhole, end == last {
                    try index.holdBack(present.file(last, of: run.timeline)?.held, run.timeline)
                }
            }
            try FaultPoint.pass("index.afterBatch")
            outcome.segmentsRead += UInt64(found.count)
            advanced(UInt64(found.count))
            guard isWhole else { return }
            number = end + 1
        }
    }
}

extension IndexedSegment {
    /// Nil where there is no complete file.
    init?(_ found: SurveyedSegment, _ container: Container) throws {
        guard let stored = found.stored, stored.form.isComplete,
            let number = found.name.number(size: container.segmentSize)
        else { return nil }
        var file: StoredSegment? = stored
        let what: String?
        switch found.outcome {
        case .missing, .partial: return nil
        case .valid: what = nil
        case .wrongSize(let bytes): what = "it has \(bytes) bytes instead of \(container.segmentSize.bytes)"
        case .damaged(let fault): what = "\(fault)"
        case .unreadable(let error):
            // No fault of the file: it is looked at again, at once or when it may be opened.
            let code = (error as? SystemError)?.errno ?? 0
            if [EMFILE, ENFILE, ENOMEM, EAGAIN, EINTR].contains(code) { throw error }
            if [EACCES, EPERM].contains(code) { file = nil }
            what = "\(error)"
        }
        let start = container.segmentSize.start(of: number)
        let summary = found.summary ?? SegmentSummary(segment: found.name, end: start)
        self.init(
            number: number,
            file: file,
            summary: summary,
            events: found.events,
            isJoined: found.isJoined,
            openRecord: found.openRecord,
            fault: what.map { Fault(readable: summary.records == 0 ? start : summary.end, what: $0) }
        )
    }
}

extension Container {
    /// The way to a timeline; one without a history file is taken to have no ancestors.
    package func path(to timeline: TimelineID) throws -> TimelinePath {
        do {
            return try walDirectory.path(to: timeline)
        } catch StoreError.historyMissing {
            return TimelinePath(timeline)
        }
    }
}
