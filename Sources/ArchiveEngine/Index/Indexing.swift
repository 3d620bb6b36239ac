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
        /// Nothing is left to do.
        package var isComplete = true
    }

    /// So many segments are one transaction.
    private static let batch: UInt64 = 64

    /// What there is to do.
    package func plan(_ index: IndexDatabase) throws -> IndexPlan {
        let segments = try PresentSegments(container)
        var rows = try index.numbers()
        for doubtful in try index.doubtful() where segments.isOutdated(doubtful) {
            rows[doubtful.timeline]?.removeAll { $0 == doubtful.number }
        }
        return IndexPlan(present: segments.complete, rows: rows)
    }

    package func run(_ index: IndexDatabase, _ plan: IndexPlan) throws -> Outcome {
        var outcome = Outcome()
        if !plan.remove.isEmpty { try remove(plan.remove, from: index, &outcome) }
        for run in plan.read {
            guard outcome.isComplete else { break }
            try read(run, into: index, &outcome)
        }
        return outcome
    }

    private func remove(_ runs: [IndexPlan.Run], from index: IndexDatabase, _ outcome: inout Outcome) throws {
        try index.database.transaction {
            for run in runs {
                try index.remove(run)
                outcome.segmentsRemoved += run.numbers.upperBound - run.numbers.lowerBound + 1
                if let saved = try index.survey(run.timeline), saved.number >= run.numbers.lowerBound,
                    saved.number <= run.numbers.upperBound
                {
                    try index.removeState(IndexDatabase.surveyKey(run.timeline))
                }
            }
            if let first = try index.firstNumber() {
                try index.removeNames(before: container.segmentSize.start(of: first))
            }
        }
    }

    private func read(_ run: IndexPlan.Run, into index: IndexDatabase, _ outcome: inout Outcome) throws {
        let path = container.path(to: run.timeline)
        let isNewest = try run.timeline == container.walDirectory.list().newestTimeline
        let survey = WALSurvey(container.walDirectory, along: path, expectation: container.expectation)
        var state = try index.survey(before: run.numbers.lowerBound, path, size: container.segmentSize)
        var number = run.numbers.lowerBound
        while number <= run.numbers.upperBound {
            guard mayGoOn() else {
                outcome.isComplete = false
                return
            }
            // The last one by itself: it may not be ready yet, and then what is before it stays as it was.
            let rest = run.numbers.upperBound - number
            let end = rest == 0 ? number : number + min(Self.batch, rest) - 1
            var found: [IndexedSegment] = []
            try survey.run(number...end, from: &state) { segment in
                guard segment.name.timeline == run.timeline, let row = try IndexedSegment(segment, container),
                    row.openRecord == nil || !isNewest || row.number < run.numbers.upperBound
                else { return .stop }
                found.append(row)
                return .proceed
            }
            let isWhole = found.last?.number == end
            try index.database.transaction {
                for segment in found { try index.insert(segment) }
                if isWhole { try index.setSurvey(.init(number: end, state: state), run.timeline) }
            }
            try FaultPoint.pass("index.afterBatch")
            outcome.segmentsRead += UInt64(found.count)
            advanced(UInt64(found.count))
            guard isWhole else {
                outcome.isComplete = false
                return
            }
            number = end + 1
        }
    }
}

/// The complete segments of an archive, and what else a plan looks at.
struct PresentSegments {
    let complete: [TimelineID: [UInt64]]
    /// Those of which there is only a partial file.
    let partial: [TimelineID: [UInt64]]
    private let files: [SegmentName: StoredSegment]
    private let container: Container

    init(_ container: Container) throws {
        self.container = container
        var complete: [TimelineID: [UInt64]] = [:]
        var files: [SegmentName: StoredSegment] = [:]
        var partial: [TimelineID: [UInt64]] = [:]
        for segment in try container.walDirectory.list().segments {
            guard let number = segment.name.number(size: container.segmentSize) else { continue }
            guard segment.form.isComplete else {
                partial[segment.name.timeline, default: []].append(number)
                continue
            }
            complete[segment.name.timeline, default: []].append(number)
            files[segment.name] = segment
        }
        self.complete = complete
        self.partial = partial
        self.files = files
    }

    /// Whether what a row could not say can be said now.
    func isOutdated(_ row: IndexDatabase.Doubtful) -> Bool {
        let name = SegmentName(timeline: row.timeline, number: row.number, size: container.segmentSize)
        if let fault = row.fault {
            return files[name].map { IndexedSegment.Fault.identity(of: $0, container) != fault.file } ?? false
        }
        let next = SegmentName(timeline: row.timeline, number: row.number &+ 1, size: container.segmentSize)
        return row.openRecord != nil && files[next] != nil
    }
}

extension IndexedSegment {
    /// Nil where there is no complete file.
    init?(_ found: SurveyedSegment, _ container: Container) throws {
        guard let stored = found.stored, stored.form.isComplete,
            let number = found.name.number(size: container.segmentSize)
        else { return nil }
        let what: String
        switch found.outcome {
        case .missing, .partial: return nil
        case .valid: what = ""
        case .wrongSize(let bytes): what = "it has \(bytes) bytes instead of \(container.segmentSize.bytes)"
        case .damaged(let fault): what = "\(fault)"
        case .unreadable(let error):
            // No fault of the file: it is looked at again.
            if let error = error as? SystemError, error.isPassing { throw error }
            what = "\(error)"
        }
        let start = container.segmentSize.start(of: number)
        let summary = found.summary ?? SegmentSummary(segment: found.name, end: start)
        self.init(
            number: number,
            summary: summary,
            events: found.events,
            isJoined: found.isJoined,
            openRecord: found.openRecord,
            fault: what.isEmpty
                ? nil
                : Fault(
                    readable: summary.records == 0 ? start : summary.end,
                    what: what,
                    file: Fault.identity(of: stored, container)
                )
        )
    }
}

extension IndexedSegment.Fault {
    fileprivate static func identity(of stored: StoredSegment, _ container: Container) -> String {
        let status = try? FileTree.status(container.walDirectory.path(of: stored))
        return "\(stored.fileName) \(status?.bytes ?? 0) \(status?.modified ?? 0) \(status?.inode ?? 0)"
    }
}

extension SystemError {
    /// Something was short for a moment.
    fileprivate var isPassing: Bool { [EMFILE, ENFILE, ENOMEM, EAGAIN, EINTR].contains(errno) }
}

extension Container {
    /// The way to a timeline; one without a history file is taken to have no ancestors.
    package func path(to timeline: TimelineID) -> TimelinePath {
        (try? walDirectory.path(to: timeline)) ?? TimelinePath(timeline)
    }
}

/// The survey as it stands at the end of what is indexed, so that it goes on from there.
extension IndexDatabase {
    package struct SavedSurvey: Codable, Sendable {
        var number: UInt64
        var state: SurveyState
    }

    static func surveyKey(_ timeline: TimelineID) -> String { "survey-\(timeline)" }

    func survey(_ timeline: TimelineID) throws(SQLiteError) -> SavedSurvey? {
        try state(SavedSurvey.self, Self.surveyKey(timeline))
    }

    func setSurvey(_ saved: SavedSurvey, _ timeline: TimelineID) throws {
        try setState(saved, Self.surveyKey(timeline))
    }

    /// The state before a segment of the path's last timeline: at the end of the one before, on it or its parent.
    package func survey(
        before number: UInt64,
        _ path: TimelinePath,
        size: SegmentSize
    ) throws(SQLiteError) -> SurveyState {
        for timeline in [path.target, path.legs.dropLast().last?.timeline].compactMap(\.self) {
            if let saved = try survey(timeline), saved.number &+ 1 == number { return saved.state }
        }
        return SurveyState()
    }

    func firstNumber() throws(SQLiteError) -> UInt64? {
        try database.rows("SELECT min(number) FROM segments") { $0.integer(0).map { UInt64(bitPattern: $0) } }.first
            ?? nil
    }
}
