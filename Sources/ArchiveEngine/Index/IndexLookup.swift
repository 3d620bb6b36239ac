package import ArchiveModel
import Foundation
package import WALFormat

/// Answers, by a few steps down the index, in which segment of a path a target lies.
package struct IndexLookup {
    let index: IndexDatabase
    let size: SegmentSize

    package init(_ index: IndexDatabase, size: SegmentSize) {
        self.index = index
        self.size = size
    }

    /// What is looked for.
    package enum Wanted: Hashable, Sendable {
        /// The first commit or abort later than this, or as late.
        case time(PostgresTime, inclusive: Bool)
        case position(LSN)
        /// The end of a transaction.
        case transaction(UInt32)
        case restorePoint(String)
        case end
    }

    /// Segments of one timeline that a path leads through.
    package struct Stretch: Hashable, Sendable {
        package var timeline: TimelineID
        package var numbers: ClosedRange<UInt64>
    }

    // MARK: - What is covered

    /// What a path leads through from a position on, as far as it is indexed, valid and without a hole.
    package func covered(from position: LSN, along path: TimelinePath) throws(SQLiteError) -> [Stretch] {
        var stretches: [Stretch] = []
        var next = size.number(of: position)
        for leg in path.legs {
            // The segment in which a timeline is left is read from the next one's copy.
            let limit = leg.end.map { size.number(of: $0) } ?? UInt64(Int64.max)
            guard next < limit else { continue }
            // Beyond a fork only if the first record there was checked to follow the last one before.
            guard let last = try lastOfRun(leg.timeline, holding: next, mustBeJoined: !stretches.isEmpty) else {
                return stretches
            }
            stretches.append(Stretch(timeline: leg.timeline, numbers: next...min(last, limit - 1)))
            guard last >= limit - 1 else { return stretches }
            next = limit
        }
        return stretches
    }

    /// The last sound segment of the run without a hole that a segment belongs to; nil when it is not sound itself.
    private func lastOfRun(
        _ timeline: TimelineID,
        holding number: UInt64,
        mustBeJoined: Bool
    ) throws(SQLiteError) -> UInt64? {
        let found = try index.database.rows(
            Self.lastOfRun,
            [SQLiteValue(timeline), SQLiteValue(number)]
        ) { ($0.number(0), $0.integer(1) == 1, isJoined: $0.integer(2) == 1) }.first
        guard let found, found.isJoined || !mustBeJoined else { return nil }
        // A faulty one is the last of its run.
        let last = found.1 ? found.0 : found.0 &- 1
        return last >= number && found.0 >= number ? last : nil
    }

    package static let lastOfRun = """
        SELECT last.number, last.fault IS NULL AND last.open_record IS NULL, this.joined
        FROM segments AS this JOIN segments AS last ON last.timeline = this.timeline AND last.number =
            (SELECT max(number) FROM segments AS other
             WHERE other.timeline = this.timeline AND other.run_start = this.run_start)
        WHERE this.timeline = ? AND this.number = ?
        """

    // MARK: - Where it lies

    /// The first of these segments that may hold what is wanted; nil when none does.
    package func first(_ wanted: Wanted, in stretches: [Stretch]) throws(SQLiteError) -> SegmentName? {
        for stretch in stretches {
            let number: UInt64?
            switch wanted {
            case .time(let time, let inclusive):
                // Whole microseconds: what is as late as this is later than the one before.
                number = try first(laterThan: time.rawValue &- (inclusive ? 0 : 1), stretch)
            case .position(let position):
                let holding = size.number(of: position)
                number = holding <= stretch.numbers.upperBound ? max(holding, stretch.numbers.lowerBound) : nil
            case .transaction(let id): number = try first(ending: id, stretch)
            case .restorePoint(let name): number = try first(named: name, stretch)
            case .end: number = stretch == stretches.last ? stretch.numbers.upperBound : nil
            }
            if let number { return SegmentName(timeline: stretch.timeline, number: number, size: size) }
        }
        return nil
    }

    /// By the running maximum, which only rises; where the clock had been beyond before the stretch, one by one.
    private func first(laterThan time: Int64, _ stretch: Stretch) throws(SQLiteError) -> UInt64? {
        let range = values(stretch)
        let before = try index.database.rows(Self.maximumBefore, Array(range.prefix(2))) { $0.integer(0) }.first ?? nil
        if before.map({ $0 <= time }) ?? true {
            let found = try index.database.rows(Self.firstByTime, [range[0], .integer(time)]) { $0.number(0) }.first
            return found.flatMap { stretch.numbers.contains($0) ? $0 : nil }
        }
        return try index.database.rows(Self.firstOneByOne, range + [.integer(time)]) { $0.number(0) }.first
    }

    package static let maximumBefore =
        "SELECT newest_time FROM segments WHERE timeline = ? AND number < ? ORDER BY number DESC LIMIT 1"
    package static let firstByTime =
        "SELECT number FROM segments WHERE timeline = ? AND newest_time > ? ORDER BY newest_time, number LIMIT 1"
    static let firstOneByOne = """
        SELECT number FROM segments WHERE timeline = ? AND number BETWEEN ? AND ? AND latest_time > ?
        ORDER BY number LIMIT 1
        """

    private func first(ending id: UInt32, _ stretch: Stretch) throws(SQLiteError) -> UInt64? {
        let range = values(stretch)
        var found: UInt64?
        for wanted in try counted(id, on: stretch.timeline) {
            // Of a segment whose ids span so many, the highest is not further from this one.
            for span in 0...UInt64(UInt32.bitWidth) {
                let first =
                    try index.database.rows(
                        Self.firstEnding,
                        [
                            range[0], SQLiteValue(span), SQLiteValue(wanted), SQLiteValue(wanted &+ (1 << span) &- 1),
                            SQLiteValue(wanted), range[1], range[2],
                        ]
                    ) { $0.integer(0).map { UInt64(bitPattern: $0) } }.first ?? nil
                found = [found, first].compactMap(\.self).min()
            }
        }
        return found
    }

    /// An id of 32 bits is one of each round of them that there is.
    func counted(_ id: UInt32, on timeline: TimelineID) throws(SQLiteError) -> [UInt64] {
        let values = [SQLiteValue(timeline), SQLiteValue(timeline)]
        let rounds = try index.database.rows(Self.transactionBounds, values) {
            ($0.number(0) >> 32, $0.number(1) >> 32)
        }
        guard let (first, last) = rounds.first, first <= last else { return [] }
        return (first...last).map { $0 << 32 | UInt64(id) }
    }

    package static let transactionBounds = """
        SELECT (SELECT newest_transaction FROM segments WHERE timeline = ? AND newest_transaction IS NOT NULL
                ORDER BY newest_transaction LIMIT 1) - 0x80000000,
               (SELECT newest_transaction FROM segments WHERE timeline = ? ORDER BY newest_transaction DESC LIMIT 1)
        """
    package static let firstEnding = """
        SELECT min(number) FROM segments INDEXED BY segments_by_span WHERE timeline = ? AND transaction_span = ?
        AND highest_transaction BETWEEN ? AND ? AND lowest_transaction <= ? AND number BETWEEN ? AND ?
        """

    private func first(named name: String, _ stretch: Stretch) throws(SQLiteError) -> UInt64? {
        let found = try index.database.rows(
            """
            SELECT min(number) FROM events WHERE kind = 'restore-point' AND name = ? AND timeline = ?
            AND number BETWEEN ? AND ?
            """,
            [.text(name)] + values(stretch)
        ) { $0.integer(0).map { UInt64(bitPattern: $0) } }.first
        return found ?? nil
    }

    func values(_ stretch: Stretch) -> [SQLiteValue] {
        [
            SQLiteValue(stretch.timeline), SQLiteValue(stretch.numbers.lowerBound),
            SQLiteValue(stretch.numbers.upperBound),
        ]
    }

    // MARK: - What was passed over

    /// What is known of WAL that need not be read, from the segment of a snapshot's redo on.
    package struct Passed: Hashable, Sendable {
        /// The start of a segment, with a commit in it before what is wanted: reading begins here.
        package var end: LSN
        package var lastCommit: SegmentSummary.Commit?
        package var newestTime: PostgresTime?
        package var clockSteppedBack: Bool
        package var parameters: WALEvent.ParameterChange?
        package var barrier: ReplayBarrier?
        package var fullPageWritesOff: LSN?
        /// What it leads through.
        package var stretches: [Stretch]
    }

    /// The longest stretch of a path that need not be read for what is wanted.
    ///
    /// What is not passed over begins with a segment that holds the end of a transaction, so that who reads on knows
    /// exactly what came last.
    package func passOver(_ wanted: Wanted, from redo: LSN, along path: TimelinePath) throws(SQLiteError) -> Passed? {
        let covered = try covered(from: redo, along: path)
        guard let lastCovered = covered.last else { return nil }
        let deciding = try first(wanted, in: covered)
        let limit = deciding.flatMap { $0.number(size: size) } ?? (lastCovered.numbers.upperBound + 1)
        let before = Self.part(of: covered, below: limit)
        guard let begin = try lastWithCommits(before)?.number(size: size) else { return nil }
        let passed = Self.part(of: before, below: begin)
        guard !passed.isEmpty else { return nil }
        var result = Passed(end: size.start(of: begin), clockSteppedBack: false, stretches: passed)
        for stretch in passed { try add(stretch, to: &result) }
        return result
    }

    package static let lastWithCommits = """
        SELECT number FROM segments WHERE timeline = ? AND number BETWEEN ? AND ? AND commits > 0
        ORDER BY number DESC LIMIT 1
        """

    private static func part(of stretches: [Stretch], below limit: UInt64) -> [Stretch] {
        stretches.compactMap { stretch in
            guard stretch.numbers.lowerBound < limit else { return nil }
            let last = min(stretch.numbers.upperBound, limit - 1)
            return Stretch(timeline: stretch.timeline, numbers: stretch.numbers.lowerBound...last)
        }
    }

    private func lastWithCommits(_ stretches: [Stretch]) throws(SQLiteError) -> SegmentName? {
        for stretch in stretches.reversed() {
            let found = try index.database.rows(Self.lastWithCommits, values(stretch)) { $0.number(0) }.first
            if let found { return SegmentName(timeline: stretch.timeline, number: found, size: size) }
        }
        return nil
    }

    private func add(_ stretch: Stretch, to passed: inout Passed) throws(SQLiteError) {
        let range = values(stretch)
        let database = index.database
        let newest = try newestTime(stretch)
        if let known = passed.newestTime, let earliest = newest, known.seconds(since: earliest) > 1 {
            passed.clockSteppedBack = true
        }
        passed.newestTime = [passed.newestTime, newest].compactMap(\.self).max()
        let commit = try database.rows(
            """
            SELECT commit_time, commit_transaction, commit_start, commit_end FROM segments
            WHERE timeline = ? AND number BETWEEN ? AND ? AND commits > 0 ORDER BY number DESC LIMIT 1
            """,
            range
        ) { row in
            SegmentSummary.Commit(
                time: row.time(0) ?? PostgresTime(rawValue: 0),
                transactionID: UInt32(truncatingIfNeeded: row.number(1)),
                start: row.lsn(2) ?? .invalid,
                end: row.lsn(3) ?? .invalid
            )
        }.first
        passed.lastCommit = commit ?? passed.lastCommit
        let steps = try database.rows(
            """
            SELECT 1 FROM segments WHERE timeline = ? AND number BETWEEN ? AND ? AND stepped_back <> 0 LIMIT 1
            """,
            range
        ) { _ in true }
        passed.clockSteppedBack = passed.clockSteppedBack || !steps.isEmpty
        let changes = try database.rows(
            """
            SELECT parameters FROM segments WHERE timeline = ? AND number BETWEEN ? AND ? AND parameters IS NOT NULL
            ORDER BY number
            """,
            range
        ) { $0.text(0).flatMap { try? JSONDecoder().decode(WALEvent.ParameterChange.self, from: Data($0.utf8)) } }
        for change in changes.compactMap(\.self) {
            passed.parameters = passed.parameters?.raised(to: change) ?? change
        }
        let barriers = try events(ReplayBarrier.events, stretch).compactMap { ReplayBarrier($0) }
        passed.barrier = passed.barrier ?? barriers.first
        let off = try events(["full-page-writes-change"], stretch).first { $0.kind == .fullPageWritesChange(false) }
        passed.fullPageWritesOff = passed.fullPageWritesOff ?? off?.start
    }

    private func events(_ kinds: Set<String>, _ stretch: Stretch) throws(SQLiteError) -> [SurveyEvent] {
        var found: [SurveyEvent] = []
        for kind in kinds.sorted() {
            found += try index.database.rows(
                "SELECT event FROM events WHERE kind = ? AND timeline = ? AND number BETWEEN ? AND ?",
                [.text(kind)] + values(stretch)
            ) { $0.text(0).flatMap { try? JSONDecoder().decode(SurveyEvent.self, from: Data($0.utf8)) } }
            .compactMap(\.self)
        }
        return SurveyEvent.inOrder(found)
    }

    /// The latest time within a stretch: the running maximum at its end, if it was reached in it.
    ///
    /// It may also be that of a row before, or of one that was removed.
    private func newestTime(_ stretch: Stretch) throws(SQLiteError) -> PostgresTime? {
        let range = values(stretch)
        let reached = try index.database.rows(Self.maximumReached, [range[0], range[0], range[2]]) { row in
            (number: row.number(0), newest: row.time(1), own: row.time(2))
        }.first
        guard let reached else { return nil }
        if reached.newest == reached.own, stretch.numbers.contains(reached.number) { return reached.own }
        return try index.database.rows(
            "SELECT max(latest_time) FROM segments WHERE timeline = ? AND number BETWEEN ? AND ?",
            range
        ) { $0.time(0) }.first ?? nil
    }

    package static let maximumReached = """
        SELECT number, newest_time, latest_time FROM segments WHERE timeline = ? AND newest_time =
            (SELECT newest_time FROM segments WHERE timeline = ? AND number = ?)
        ORDER BY number LIMIT 1
        """
}
