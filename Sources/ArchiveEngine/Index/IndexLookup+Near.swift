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
            for wanted in try counted(id, on: stretch.timeline) {
                var (below, above): ((id: UInt64, number: UInt64)?, (id: UInt64, number: UInt64)?)
                for span in 0...UInt64(UInt32.bitWidth) {
                    let lower = try one(Self.nextLower, stretch, span, [wanted])
                    if let lower, lower.id > below?.id ?? 0 { below = lower }
                    let higher = try one(Self.nextHigher, stretch, span, [wanted, wanted])
                    if let higher, higher.id < above?.id ?? .max { above = higher }
                }
                segments.formUnion([below, above].compactMap { $0?.number })
            }
        }
        return segments.sorted().map { size.start(of: $0)..<size.start(of: $0 &+ 1) }
    }

    private func one(
        _ query: String,
        _ stretch: Stretch,
        _ span: UInt64,
        _ ids: [UInt64]
    ) throws -> (id: UInt64, number: UInt64)? {
        let values = [SQLiteValue(stretch.timeline), SQLiteValue(span)] + ids.map { SQLiteValue($0) }
        // One beyond the stretch is none: what has such a span mostly has its ids in the order of WAL.
        return try index.database.rows(query, values) { (id: $0.number(0), number: $0.number(1)) }
            .first { stretch.numbers.contains($0.number) }
    }

    package static let nextLower = """
        SELECT highest_transaction, number FROM segments
        WHERE timeline = ? AND transaction_span = ? AND highest_transaction < ?
        ORDER BY highest_transaction DESC LIMIT 1
        """
    package static let nextHigher = """
        SELECT lowest_transaction, number FROM segments
        WHERE timeline = ? AND transaction_span = ? AND highest_transaction > ? AND lowest_transaction > ?
        ORDER BY highest_transaction LIMIT 1
        """
}
