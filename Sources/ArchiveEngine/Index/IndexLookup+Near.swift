import ArchiveModel
import Foundation
import WALFormat

/// What comes nearest to a transaction or a restore point that is nowhere.
extension IndexLookup {
    func near(_ wanted: Wanted, from redo: LSN, along path: TimelinePath) throws -> NearWAL? {
        switch wanted {
        case .transaction(let id): NearWAL(parts: try neighbours(of: id, from: redo, along: path))
        case .restorePoint: NearWAL(restorePoints: try restorePoints(from: redo, along: path))
        case .time, .position, .end: nil
        }
    }

    /// Of each timeline on the way the part that is on it, from the segment that holds a position on.
    private func stretches(from position: LSN, along path: TimelinePath) -> [Stretch] {
        path.legs.compactMap { leg in
            let first = max(size.number(of: position), size.number(of: path.start(of: leg.timeline)))
            // The segment in which a timeline is left is read from the next one's copy.
            let limit = leg.end.map { size.number(of: $0) } ?? UInt64(Int64.max)
            return first < limit ? Stretch(timeline: leg.timeline, numbers: first...(limit - 1)) : nil
        }
    }

    private func restorePoints(from redo: LSN, along path: TimelinePath) throws -> [TargetSightings.RestorePoint] {
        var points: [TargetSightings.RestorePoint] = []
        for stretch in stretches(from: redo, along: path) {
            let events = try index.database.rows(
                """
                SELECT event FROM events WHERE kind = 'restore-point' AND timeline = ? AND number BETWEEN ? AND ?
                ORDER BY start
                """,
                values(stretch)
            ) { $0.text(0).flatMap { try? IndexDatabase.value(SurveyEvent.self, $0) } }
            for event in events.compactMap(\.self) where event.start >= redo {
                guard case .restorePoint(let name) = event.kind, let time = event.time else { continue }
                points.append(.init(name: name, time: time, end: event.end))
            }
        }
        return points
    }

    /// The segments with the next lower and the next higher id; those whose ids lie on both sides are read anyway.
    private func neighbours(of id: UInt32, from redo: LSN, along path: TimelinePath) throws -> [Range<LSN>] {
        var segments: Set<UInt64> = []
        for stretch in stretches(from: redo, along: path) {
            // The nearest of all may lie before it: then it is the first here, as ids mostly are in the order of WAL.
            // The first segment may have none behind the position.
            let first = try index.database.rows(Self.firstWithTransactions, values(stretch)) { $0.number(0) }
            segments.formUnion(first)
            for wanted in try counted(id, on: stretch.timeline) {
                for query in [Self.nextLower, Self.nextHigher] {
                    let values = [SQLiteValue(stretch.timeline), SQLiteValue(wanted)]
                    let found = try index.database.rows(query, values) { $0.number(0) }.first
                    if let found, stretch.numbers.contains(found) { segments.insert(found) }
                }
            }
        }
        return segments.sorted().map { max(redo, size.start(of: $0))..<size.start(of: $0 &+ 1) }
    }

    package static let firstWithTransactions = """
        SELECT number FROM segments WHERE timeline = ? AND number BETWEEN ? AND ? AND lowest_transaction IS NOT NULL
        ORDER BY number LIMIT 2
        """
    package static let nextLower = """
        SELECT number FROM segments INDEXED BY segments_by_highest WHERE timeline = ? AND highest_transaction < ?
        ORDER BY highest_transaction DESC LIMIT 1
        """
    package static let nextHigher = """
        SELECT number FROM segments INDEXED BY segments_by_lowest WHERE timeline = ? AND lowest_transaction > ?
        ORDER BY lowest_transaction LIMIT 1
        """
}
