import ArchiveModel
import Foundation
import WALFormat

/// A file or an oid by which an event's names are found.
struct EventRelation: Hashable {
    var database: UInt32
    var isFile: Bool
    var number: UInt32
}

extension SurveyEvent {
    /// Those that `EventNames` asks for.
    var relations: Set<EventRelation> {
        func found(_ files: [RelationFile], _ oids: [UInt32]) -> Set<EventRelation> {
            Set(files.map { EventRelation(database: $0.database, isFile: true, number: $0.number) })
                .union(oids.map { EventRelation(database: database ?? 0, isFile: false, number: $0) })
        }
        return switch kind {
        case .drop(let files): found(files.removed, files.dropped)
        case .truncate(let files), .rewrite(let files): found(files.removed, files.locked)
        case .massDelete(let file, _), .massUpdate(let file, _): found([file], [])
        default: []
        }
    }

    static let kindsOfRelations: Set<String> = ["drop", "truncate", "rewrite", "mass-delete", "mass-update"]
}

/// Finding events without stepping through all of them.
extension IndexDatabase {
    /// The row of an event.
    struct EventPlace: Hashable {
        var timeline: TimelineID
        var start: LSN
        var kind: String
        var ordinal: Int64

        func isBefore(_ other: EventPlace) -> Bool {
            (timeline, start, kind, ordinal) < (other.timeline, other.start, other.kind, other.ordinal)
        }
    }

    private func places(_ condition: String, _ values: [SQLiteValue]) throws(SQLiteError) -> [EventPlace] {
        try database.rows("SELECT timeline, start, kind, ordinal FROM \(condition)", values) { row in
            EventPlace(
                timeline: TimelineID(UInt32(truncatingIfNeeded: row.number(0))),
                start: row.lsn(1) ?? .invalid,
                kind: row.text(2) ?? "",
                ordinal: row.integer(3) ?? 0
            )
        }
    }

    /// Of events of these kinds all that may be of what is called so: by their files and oids, and those whose names
    /// are not known.
    func places(of names: [KnownName], kinds: Set<String>) throws(SQLiteError) -> [EventPlace] {
        var relations: Set<EventRelation> = []
        for name in names {
            relations.insert(EventRelation(database: name.database, isFile: false, number: name.relation))
            if name.file != 0 {
                relations.insert(EventRelation(database: name.database, isFile: true, number: name.file))
            }
        }
        var found: Set<EventPlace> = []
        for kind in kinds.intersection(SurveyEvent.kindsOfRelations) {
            for relation in relations {
                found.formUnion(
                    try places(
                        "event_relations WHERE database = ? AND is_file = ? AND relation = ? AND kind = ?",
                        [
                            SQLiteValue(relation.database), .integer(relation.isFile ? 1 : 0),
                            SQLiteValue(relation.number), .text(kind),
                        ]
                    )
                )
            }
            found.formUnion(try placesWithoutNames(kind))
        }
        // Of databases and tablespaces there are few.
        for kind in kinds.subtracting(SurveyEvent.kindsOfRelations) {
            found.formUnion(try places("events WHERE kind = ?", [.text(kind)]))
        }
        return Array(found)
    }

    func placesWithoutNames(_ kind: String) throws(SQLiteError) -> [EventPlace] {
        try places("events WHERE kind = ? AND is_named = 0", [.text(kind)])
    }

    /// The newest of these, newest first; where a place is given, of those before it.
    func placesWithoutNames(
        _ kind: String,
        before place: EventPlace? = nil,
        limit: Int
    ) throws(SQLiteError) -> [EventPlace] {
        var condition = "events WHERE kind = ? AND is_named = 0"
        var values: [SQLiteValue] = [.text(kind)]
        if let place {
            condition += " AND (timeline, start, ordinal) < (?, ?, ?)"
            values += [SQLiteValue(place.timeline), SQLiteValue(place.start), .integer(place.ordinal)]
        }
        values.append(.integer(Int64(limit)))
        return try places("\(condition) ORDER BY timeline DESC, start DESC, ordinal DESC LIMIT ?", values)
    }

    /// What a transaction did.
    func places(ofTransaction id: UInt32) throws(SQLiteError) -> [EventPlace] {
        try places("events WHERE transaction_id = ? AND transaction_id <> 0", [SQLiteValue(id)])
    }

    func event(at place: EventPlace) throws(SQLiteError) -> SurveyEvent? {
        let text = try database.rows(
            "SELECT event FROM events WHERE timeline = ? AND start = ? AND ordinal = ?",
            [SQLiteValue(place.timeline), SQLiteValue(place.start), .integer(place.ordinal)]
        ) { $0.text(0) }
        return (text.first ?? nil).flatMap { try? Self.value(SurveyEvent.self, $0) }
    }

    func setNamed(_ place: EventPlace) throws(SQLiteError) {
        try database.run(
            "UPDATE events SET is_named = 1 WHERE timeline = ? AND start = ? AND ordinal = ?",
            [SQLiteValue(place.timeline), SQLiteValue(place.start), .integer(place.ordinal)]
        )
    }

    /// Where a timeline's first segment begins whose WAL reaches a time, or one before; nil where none does.
    func positions(since time: PostgresTime, size: SegmentSize) throws(SQLiteError) -> [TimelineID: LSN] {
        var positions: [TimelineID: LSN] = [:]
        // A record without a time has that of a transaction that ends behind it.
        let outlook = ArchiveContents.outlookBytes / size.bytes + 1
        let timelines = try database.rows("SELECT DISTINCT timeline FROM segments") { $0.number(0) }
        for timeline in timelines {
            let number = try database.rows(
                IndexLookup.firstByTime,
                [SQLiteValue(timeline), .integer(time.rawValue &- 1)]
            ) { $0.number(0) }.first
            guard let number else { continue }
            positions[TimelineID(UInt32(truncatingIfNeeded: timeline))] = size.start(of: number - min(number, outlook))
        }
        return positions
    }

    /// Those of the events of a run of segments.
    func removeRelations(_ run: [SQLiteValue]) throws(SQLiteError) {
        let found = try database.rows(
            "SELECT min(start), max(start) FROM events WHERE timeline = ? AND number BETWEEN ? AND ?",
            run
        ) { (first: $0.integer(0), last: $0.integer(1)) }.first
        guard let found, let first = found.first, let last = found.last, let timeline = run.first else { return }
        try database.run(
            "DELETE FROM event_relations WHERE timeline = ? AND start BETWEEN ? AND ?",
            [timeline, .integer(first), .integer(last)]
        )
    }
}
