import Platform
import WALFormat

/// What is known of an event's names: others than those without are found by them, or must be asked for.
enum EventNaming: Int64 {
    /// To be asked for, as it is new, or a name of one of its relations is.
    case due = 0
    /// All are known, or it has none.
    case named = 1
    /// Not all are known.
    case unknown = 2
    /// The index has only the beginning of its list: what is behind it may be called anything, and is always asked for.
    case cut = 3

    static func first(of event: SurveyEvent) -> EventNaming {
        event.relations.isEmpty ? .named : event.kind.mayBeCut ? .cut : .due
    }
}

/// Which events have their names.
extension IndexDatabase {
    /// Goes on with asking, in short transactions, since others wait for the index; whether some are left.
    package func noteNames(most: Int = 2000, seconds: Double = 0.2) throws -> Bool {
        let end = SystemClock.monotonicSeconds() + seconds
        var left = most
        for kind in SurveyEvent.kindsOfRelations.sorted() {
            let due = try places(.due, kind, limit: left)
            guard !due.isEmpty else { continue }
            let names = EventNames(self)
            try database.transaction {
                for place in due {
                    let isUnknown = try event(at: place).map { try names.named($0).isUnknown } ?? false
                    try setNaming(isUnknown ? .unknown : .named, place)
                    left -= 1
                    if SystemClock.monotonicSeconds() >= end { break }
                }
            }
            if left <= 0 || SystemClock.monotonicSeconds() >= end { return true }
        }
        return false
    }

    /// Those of a kind in this state; not for `named`, of which there is no index.
    func places(_ naming: EventNaming, _ kind: String, limit: Int? = nil) throws(SQLiteError) -> [EventPlace] {
        try places(
            "events WHERE naming = ? AND naming <> 1 AND kind = ? LIMIT ?",
            [.integer(naming.rawValue), .text(kind), .integer(limit.map { Int64($0) } ?? -1)]
        )
    }

    private func setNaming(_ naming: EventNaming, _ place: EventPlace) throws(SQLiteError) {
        try database.run(
            "UPDATE events SET naming = ? WHERE timeline = ? AND start = ? AND ordinal = ?",
            [
                .integer(naming.rawValue), SQLiteValue(place.timeline), SQLiteValue(place.start),
                .integer(place.ordinal),
            ]
        )
    }

    /// A relation has another name: events of it that lacked some may have all by now.
    ///
    /// The plus keeps SQLite from going through all without names.
    func askAgain(_ relation: EventRelation) throws(SQLiteError) {
        try database.run(
            """
            UPDATE events SET naming = 0 WHERE +naming = 2 AND (timeline, start, ordinal) IN (
                SELECT timeline, start, ordinal FROM event_relations
                WHERE database = ? AND is_file = ? AND relation = ?
            )
            """,
            [SQLiteValue(relation.database), .integer(relation.isFile ? 1 : 0), SQLiteValue(relation.number)]
        )
    }
}
