import ArchiveModel
import Foundation
package import WALFormat
package import WALStore

/// A segment as it is put into the index.
package struct IndexedSegment: Sendable {
    package var number: UInt64
    /// The file that was read; nil where it could not be opened.
    package var file: StoredSegment?
    package var summary: SegmentSummary
    package var events: [SurveyEvent]
    /// Its first record was checked to follow the last one before.
    package var isJoined: Bool
    package var openRecord: LSN?
    package var fault: Fault?

    /// What is wrong with a complete segment.
    package struct Fault: Hashable, Sendable {
        /// The end of what can be read of it.
        package var readable: LSN
        package var what: String

        package init(readable: LSN, what: String) {
            self.readable = readable
            self.what = what
        }
    }

    package init(
        number: UInt64,
        file: StoredSegment? = nil,
        summary: SegmentSummary,
        events: [SurveyEvent],
        isJoined: Bool = true,
        openRecord: LSN? = nil,
        fault: Fault? = nil
    ) {
        self.number = number
        self.file = file
        self.summary = summary
        self.events = events
        self.isJoined = isJoined
        self.openRecord = openRecord
        self.fault = fault
    }
}

/// The rows of segments and events.
extension IndexDatabase {
    /// Transaction ids are counted on from here, so that a few older ones are no negative numbers.
    private static let firstEpoch: UInt64 = 1 << 32

    /// The segments that have rows, of each timeline in order.
    package func numbers() throws(SQLiteError) -> [TimelineID: [UInt64]] {
        var numbers: [TimelineID: [UInt64]] = [:]
        let rows = try database.rows("SELECT timeline, number FROM segments ORDER BY timeline, number") {
            (TimelineID(UInt32(truncatingIfNeeded: $0.number(0))), $0.number(1))
        }
        for (timeline, number) in rows { numbers[timeline, default: []].append(number) }
        return numbers
    }

    /// The same as runs without a hole, by an index that is much smaller than the rows.
    package func runs() throws(SQLiteError) -> [TimelineID: [ClosedRange<UInt64>]] {
        var runs: [TimelineID: [ClosedRange<UInt64>]] = [:]
        let rows = try database.rows(
            """
            SELECT timeline, min(number), max(number), count(*) FROM segments INDEXED BY segments_by_run
            GROUP BY timeline, run_start ORDER BY timeline, run_start
            """
        ) { (TimelineID(UInt32(truncatingIfNeeded: $0.number(0))), $0.number(1), $0.number(2), $0.number(3)) }
        for (timeline, first, last, count) in rows {
            // One that could not be read ends what follows from it, but leaves no hole.
            guard last >= first, last - first == count &- 1 else { return try numbers().mapValues(Self.runs) }
            runs[timeline, default: []].append(first...last)
        }
        return runs
    }

    private static func runs(of numbers: [UInt64]) -> [ClosedRange<UInt64>] {
        var runs: [ClosedRange<UInt64>] = []
        for number in numbers {
            if let last = runs.last, last.upperBound &+ 1 == number {
                runs[runs.count - 1] = last.lowerBound...number
            } else {
                runs.append(number...number)
            }
        }
        return runs
    }

    /// What a row says of the file that it was made of.
    struct File {
        var timeline: TimelineID
        var number: UInt64
        /// Nil where it could not be opened.
        var form: StoredSegment.Form?
        var bytes: UInt64
        var stamp: StoredSegment.Stamp
        /// It is whole, and all of it belongs to a record of a segment before.
        var beginsNothing: Bool
        var openRecord: LSN?
    }

    /// Each row's, by timeline and number; of these only where a run is given.
    func eachFile(in run: IndexPlan.Run? = nil, _ take: (File) -> Void) throws(SQLiteError) {
        let columns = "timeline, number, form, file_bytes, modified, inode, records = 0 AND fault IS NULL, open_record"
        let make = { (row: SQLiteRow) in
            let suffix = row.text(2)
            take(
                File(
                    timeline: TimelineID(UInt32(truncatingIfNeeded: row.number(0))),
                    number: row.number(1),
                    form: suffix.flatMap { suffix in StoredSegment.Form.complete.first { $0.suffix == suffix } },
                    bytes: row.number(3),
                    stamp: .init(modified: row.integer(4) ?? 0, inode: row.number(5)),
                    beginsNothing: row.integer(6) == 1,
                    openRecord: row.lsn(7)
                )
            )
        }
        if let run {
            let range = [
                SQLiteValue(run.timeline), SQLiteValue(run.numbers.lowerBound), SQLiteValue(run.numbers.upperBound),
            ]
            _ = try database.rows(
                "SELECT \(columns) FROM segments WHERE timeline = ? AND number BETWEEN ? AND ? ORDER BY number",
                range,
                make
            )
        } else {
            _ = try database.rows("SELECT \(columns) FROM segments ORDER BY timeline, number", [], make)
        }
    }

    /// The segment before this one whose last record goes on in it, or may: what it says depends on this one.
    func number(leadingInto number: UInt64, of timeline: TimelineID, size: SegmentSize) throws(SQLiteError) -> UInt64? {
        let found = try database.rows(
            """
            SELECT number, end, fault IS NOT NULL FROM segments
            WHERE timeline = ? AND number < ? AND (records > 0 OR fault IS NOT NULL) ORDER BY number DESC LIMIT 1
            """,
            [SQLiteValue(timeline), SQLiteValue(number)]
        ) { (number: $0.number(0), end: $0.lsn(1) ?? .invalid, isFaulty: $0.integer(2) == 1) }.first
        return found.flatMap { $0.end > size.start(of: number) || $0.isFaulty ? $0.number : nil }
    }

    /// Takes out segments, with their events.
    package func remove(_ run: IndexPlan.Run) throws(SQLiteError) {
        let range = [
            SQLiteValue(run.timeline), SQLiteValue(run.numbers.lowerBound), SQLiteValue(run.numbers.upperBound),
        ]
        try database.run("DELETE FROM segments WHERE timeline = ? AND number BETWEEN ? AND ?", range)
        try removeEvents(range)
        try database.run("DELETE FROM surveys WHERE timeline = ? AND number BETWEEN ? AND ?", range)
        // What follows is no longer led up to.
        let next = run.numbers.upperBound &+ 1
        try database.run(
            "UPDATE segments SET run_start = ? WHERE timeline = ? AND number >= ? AND run_start < ?",
            [SQLiteValue(next), SQLiteValue(run.timeline), SQLiteValue(next), SQLiteValue(next)]
        )
    }

    /// What the next row of a timeline is counted on from.
    private struct Before {
        var runStart: UInt64?
        var newestTime: Int64?
        var newestTransaction: UInt64?
    }

    private func before(_ number: UInt64, of timeline: TimelineID) throws(SQLiteError) -> Before {
        let row = try database.rows(
            """
            SELECT number, run_start, fault IS NULL, newest_time, newest_transaction FROM segments
            WHERE timeline = ? AND number < ? ORDER BY number DESC LIMIT 1
            """,
            [SQLiteValue(timeline), SQLiteValue(number)]
        ) { row in
            let leadsHere = row.number(0) &+ 1 == number && row.integer(2) == 1
            return Before(
                runStart: leadsHere ? row.number(1) : nil,
                newestTime: row.integer(3),
                newestTransaction: row.integer(4).map { UInt64(bitPattern: $0) }
            )
        }.first
        if let row { return row }
        // A timeline's first transactions follow those of the one before.
        let newest = try database.rows(
            "SELECT max(newest_transaction) FROM segments WHERE timeline < ? AND number < ?",
            [SQLiteValue(timeline), SQLiteValue(number)]
        ) { $0.integer(0) }.first
        return Before(newestTransaction: (newest ?? nil).map { UInt64(bitPattern: $0) })
    }

    /// Puts a segment in, or anew; those before it on its timeline are there already.
    package func insert(_ segment: IndexedSegment) throws {
        let (number, summary) = (segment.number, segment.summary)
        let timeline = summary.segment.timeline
        let before = try before(number, of: timeline)
        let highest = summary.highestTransactionID.map {
            Self.counted($0, near: before.newestTransaction ?? Self.firstEpoch)
        }
        let lowest = summary.lowestTransactionID.flatMap { id in highest.map { Self.counted(id, near: $0) } }
        let span = highest.flatMap { highest in lowest.map { Self.span($0, highest) } }
        let newestTime = [before.newestTime, summary.latestTime?.rawValue].compactMap(\.self).max()
        let newestTransaction = [before.newestTransaction, highest].compactMap(\.self).max()
        let steppedBefore = summary.earliestTime.map { earliest in
            before.newestTime.map { PostgresTime(rawValue: $0).seconds(since: earliest) > 1 } ?? false
        }
        let steppedBack = summary.clockSteppedBack || steppedBefore == true
        let parameters = try summary.parameters.map { try Self.json($0) }
        try database.run(
            "INSERT OR REPLACE INTO segments VALUES (" + Array(repeating: "?", count: 33).joined(separator: ",") + ")",
            [
                SQLiteValue(timeline), SQLiteValue(number),
                SQLiteValue((segment.isJoined ? before.runStart : nil) ?? number), .integer(segment.isJoined ? 1 : 0),
                SQLiteValue(segment.file?.form.suffix), segment.file.map { SQLiteValue($0.bytes) } ?? .null,
                (segment.file?.stamp?.modified).map { .integer($0) } ?? .null,
                (segment.file?.stamp?.inode).map { SQLiteValue($0) } ?? .null,
                SQLiteValue(summary.firstRecord), SQLiteValue(summary.end),
                SQLiteValue(summary.records), SQLiteValue(summary.recordBytes),
                SQLiteValue(summary.commits), SQLiteValue(summary.aborts),
                SQLiteValue(summary.earliestTime), SQLiteValue(summary.latestTime),
                newestTime.map { .integer($0) } ?? .null, .integer(steppedBack ? 1 : 0),
                lowest.map { SQLiteValue($0) } ?? .null, highest.map { SQLiteValue($0) } ?? .null,
                newestTransaction.map { SQLiteValue($0) } ?? .null, span.map { .integer($0) } ?? .null,
                SQLiteValue(summary.lastCommit?.time),
                summary.lastCommit.map { SQLiteValue($0.transactionID) } ?? .null,
                SQLiteValue(summary.lastCommit?.start), SQLiteValue(summary.lastCommit?.end),
                SQLiteValue(summary.lastCheckpoint?.start), SQLiteValue(summary.lastCheckpoint?.redo),
                SQLiteValue(summary.lastCheckpoint?.time),
                SQLiteValue(parameters), SQLiteValue(segment.openRecord),
                SQLiteValue(segment.fault?.readable), SQLiteValue(segment.fault?.what),
            ]
        )
        try removeEvents([SQLiteValue(timeline), SQLiteValue(number), SQLiteValue(number)])
        // By the segment's timeline: one that begins with its parent's WAL has the parent's events too.
        try insert(segment.events, segment: number, of: timeline)
    }

    /// How many bits the difference of two ids has.
    private static func span(_ lowest: UInt64, _ highest: UInt64) -> Int64 {
        Int64(UInt64.bitWidth - (highest &- lowest).leadingZeroBitCount)
    }

    /// An id beyond 32 bits: the one nearest to another.
    private static func counted(_ id: UInt32, near other: UInt64) -> UInt64 {
        let distance = Int32(bitPattern: id &- UInt32(truncatingIfNeeded: other))
        return distance >= 0 ? other &+ UInt64(distance) : other &- UInt64(distance.magnitude)
    }

    /// Events, in the order of WAL, each once.
    ///
    /// - Parameter kinds: nil means all.
    package func events(kinds: Set<String>? = nil) throws(SQLiteError) -> [SurveyEvent] {
        var found: [SurveyEvent] = []
        let decoder = JSONDecoder()
        let take = { (row: SQLiteRow) in
            if let text = row.text(0), let event = try? decoder.decode(SurveyEvent.self, from: Data(text.utf8)) {
                found.append(event)
            }
        }
        if let kinds {
            for kind in kinds.sorted() {
                _ = try database.rows("SELECT event FROM events WHERE kind = ?", [.text(kind)], take)
            }
        } else {
            _ = try database.rows("SELECT event FROM events", [], take)
        }
        return SurveyEvent.inOrder(found)
    }

    /// The rows of events, newest first by timeline and position, until the visitor says no.
    ///
    /// Those of `inherited` are in the rows of the timelines that have them, beside or instead of their own's.
    ///
    /// - Parameter since: where each timeline begins to be wanted; nil for all of all timelines.
    func eachEvent(
        kinds: Set<String>,
        since: [TimelineID: LSN]? = nil,
        _ visit: (SurveyEvent) throws -> Bool
    ) throws {
        guard !kinds.isEmpty else { return }
        let decoder = JSONDecoder()
        // Each part comes in the order of events_by_kind, and SQLite merges them: nothing is sorted but what has a name
        // of its own, which are few.
        let columns = "SELECT timeline, start, kind, ordinal, event FROM events"
        let parts = ["\(columns) WHERE kind = ? AND name IS NULL", "\(columns) WHERE kind = ? AND name IS NOT NULL"]
        let union = Array(repeating: parts.joined(separator: " UNION ALL "), count: kinds.count)
            .joined(separator: " UNION ALL ")
        let values = kinds.sorted().flatMap { [SQLiteValue.text($0), .text($0)] }
        try database.visit("\(union) ORDER BY timeline DESC, start DESC, kind DESC, ordinal DESC", values) { row in
            if let since {
                let timeline = TimelineID(UInt32(truncatingIfNeeded: row.number(0)))
                if row.lsn(1) ?? .invalid < since[timeline] ?? LSN(.max) {
                    return since.keys.contains { $0 < timeline }
                }
            }
            guard let text = row.text(4), let event = try? decoder.decode(SurveyEvent.self, from: Data(text.utf8))
            else { return true }
            return try visit(event)
        }
    }

    /// The events of each timeline's ancestors that are in its own segments, with that timeline: those before its
    /// beginning.
    func inherited() throws -> [(timeline: TimelineID, event: SurveyEvent)] {
        var found: [(timeline: TimelineID, event: SurveyEvent)] = []
        let decoder = JSONDecoder()
        var last = TimelineID(0)
        while let timeline = try timelineOfEvents(after: last) {
            try database.visit(
                "SELECT event FROM events WHERE timeline = ? ORDER BY start, ordinal",
                [SQLiteValue(timeline)]
            ) { row in
                guard let text = row.text(0), let event = try? decoder.decode(SurveyEvent.self, from: Data(text.utf8))
                else { return true }
                guard event.timeline != timeline else { return false }
                found.append((timeline, event))
                return true
            }
            last = timeline
        }
        return found
    }

    private func timelineOfEvents(after timeline: TimelineID) throws(SQLiteError) -> TimelineID? {
        let next = try database.rows("SELECT min(timeline) FROM events WHERE timeline > ?", [SQLiteValue(timeline)]) {
            $0.integer(0).map { TimelineID(UInt32(truncatingIfNeeded: $0)) }
        }.first
        return next ?? nil
    }

    /// Those that begin at a position, on whatever timeline.
    func events(at position: LSN) throws(SQLiteError) -> [SurveyEvent] {
        let decoder = JSONDecoder()
        return try database.rows("SELECT event FROM events WHERE start = ?", [SQLiteValue(position)]) { row in
            row.text(0).flatMap { try? decoder.decode(SurveyEvent.self, from: Data($0.utf8)) }
        }.compactMap(\.self)
    }

    /// Segments of which not all is well: damaged ones, and those whose last record had no end.
    package struct Doubtful: Hashable, Sendable {
        package var timeline: TimelineID
        package var number: UInt64
        package var openRecord: LSN?
        package var fault: IndexedSegment.Fault?
    }

    package func doubtful() throws(SQLiteError) -> [Doubtful] {
        try database.rows(
            """
            SELECT timeline, number, open_record, readable, fault FROM segments WHERE fault IS NOT NULL
            UNION SELECT timeline, number, open_record, readable, fault FROM segments
            WHERE open_record IS NOT NULL ORDER BY timeline, number
            """
        ) { row in
            Doubtful(
                timeline: TimelineID(UInt32(truncatingIfNeeded: row.number(0))),
                number: row.number(1),
                openRecord: row.lsn(2),
                fault: row.text(4).map { IndexedSegment.Fault(readable: row.lsn(3) ?? .invalid, what: $0) }
            )
        }
    }

    /// How much is indexed.
    package struct Extent: Codable, Hashable, Sendable {
        package var segments: UInt64
        package var events: UInt64
        package var records: UInt64
        package var faults: UInt64
        package var names: UInt64
    }

    package func extent() throws(SQLiteError) -> Extent {
        try database.rows(
            """
            SELECT (SELECT count(*) FROM segments), (SELECT count(*) FROM events),
                   (SELECT coalesce(sum(records), 0) FROM segments),
                   (SELECT count(*) FROM segments WHERE fault IS NOT NULL),
                   (SELECT count(*) FROM names)
            """
        ) { row in
            Extent(
                segments: row.number(0),
                events: row.number(1),
                records: row.number(2),
                faults: row.number(3),
                names: row.number(4)
            )
        }.first ?? Extent(segments: 0, events: 0, records: 0, faults: 0, names: 0)
    }
}

extension SurveyEvent {
    /// Each once, as WAL before a fork is in the segments of both timelines; by timeline, so that what came after a
    /// fork follows the tail that it left.
    package static func inOrder(_ events: [SurveyEvent]) -> [SurveyEvent] {
        var seen: Set<SurveyEvent> = []
        return events.filter { seen.insert($0).inserted }.sorted { $0.isBefore($1) }
    }

    func isBefore(_ other: SurveyEvent) -> Bool {
        (timeline, start, kind.name) < (other.timeline, other.start, other.kind.name)
    }
}
