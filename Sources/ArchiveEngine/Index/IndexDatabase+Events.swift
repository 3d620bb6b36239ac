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

/// The row of an event.
struct EventPlace: Hashable, Sendable {
    /// Of the segments that have it: an event before a fork is its parent's.
    var timeline: TimelineID
    var start: LSN
    var kind: String
    var ordinal: Int64

    func isBefore(_ other: EventPlace) -> Bool {
        (timeline, start, kind, ordinal) < (other.timeline, other.start, other.kind, other.ordinal)
    }
}

/// Events: put in, taken out, and found without stepping through all of them.
extension IndexDatabase {
    /// Those that a condition finds (`events WHERE …`).
    func places(_ condition: String, _ values: [SQLiteValue]) throws(SQLiteError) -> [EventPlace] {
        try database.rows("SELECT timeline, start, kind, ordinal FROM \(condition)", values) { row in
            EventPlace(
                timeline: TimelineID(UInt32(truncatingIfNeeded: row.number(0))),
                start: row.lsn(1) ?? .invalid,
                kind: row.text(2) ?? "",
                ordinal: row.integer(3) ?? 0
            )
        }
    }

    /// Of events of these kinds all that may be of what is called so, but those of which it is known that they have no
    /// names: by their files and oids, and those that nobody has asked about yet.
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
                        Self.values(relation) + [.text(kind)]
                    )
                )
            }
            found.formUnion(try places(.due, kind))
            found.formUnion(try places(.cut, kind))
        }
        // Of databases and tablespaces there are few.
        for kind in kinds.subtracting(SurveyEvent.kindsOfRelations) {
            found.formUnion(try places("events WHERE kind = ?", [.text(kind)]))
        }
        return Array(found)
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

    /// Puts the events of a segment in.
    func insert(_ events: [SurveyEvent], segment number: UInt64, of timeline: TimelineID) throws {
        var ordinals: [LSN: Int64] = [:]
        for event in events {
            let ordinal = ordinals[event.start, default: 0]
            ordinals[event.start] = ordinal + 1
            try database.run(
                "INSERT OR REPLACE INTO events VALUES (?,?,?,?,?,?,?,?,?)",
                [
                    SQLiteValue(timeline), SQLiteValue(event.start), .integer(ordinal), SQLiteValue(number),
                    .text(event.kind.name), SQLiteValue(event.kind.ownName),
                    .text(Self.json(event)), SQLiteValue(event.transactionID),
                    .integer(EventNaming.first(of: event).rawValue),
                ]
            )
            for relation in event.relations {
                try database.run(
                    "INSERT OR REPLACE INTO event_relations VALUES (?,?,?,?,?,?,?)",
                    Self.values(relation)
                        + [.text(event.kind.name), SQLiteValue(timeline), SQLiteValue(event.start), .integer(ordinal)]
                )
            }
        }
    }

    private static func values(_ relation: EventRelation) -> [SQLiteValue] {
        [SQLiteValue(relation.database), .integer(relation.isFile ? 1 : 0), SQLiteValue(relation.number)]
    }

    /// Takes out those of a run of segments.
    func removeEvents(_ run: [SQLiteValue]) throws(SQLiteError) {
        let condition = "timeline = ? AND number BETWEEN ? AND ?"
        let found = try database.rows("SELECT timeline, start, ordinal, event FROM events WHERE \(condition)", run) {
            row in
            (
                place: [SQLiteValue(row.number(0)), SQLiteValue(row.lsn(1)), .integer(row.integer(2) ?? 0)],
                event: row.text(3).flatMap { try? Self.value(SurveyEvent.self, $0) }
            )
        }
        for (place, event) in found {
            guard let event else { continue }
            for relation in event.relations {
                try database.run(
                    """
                    DELETE FROM event_relations WHERE database = ? AND is_file = ? AND relation = ? AND kind = ?
                    AND timeline = ? AND start = ? AND ordinal = ?
                    """,
                    Self.values(relation) + [.text(event.kind.name)] + place
                )
            }
        }
        try database.run("DELETE FROM events WHERE \(condition)", run)
    }
}

extension SurveyEvent.Kind {
    /// What the event itself calls its object.
    fileprivate var ownName: String? {
        if case .restorePoint(let name) = self { return name }
        return nil
    }
}
