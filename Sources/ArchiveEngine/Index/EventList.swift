import ArchiveModel
package import WALFormat
import WALStore

/// Which events are wanted.
package struct EventFilter: Sendable {
    package var since: PostgresTime?
    package var until: PostgresTime?
    /// Nil leaves out checkpoints only.
    package var kinds: Set<String>?
    /// A table's name, with or without schema and database, in any case; of databases their own.
    package var table: String?
    /// Of that table, where it is partitioned: each is asked for by the table's name.
    var partitions: Set<Partition> = []
    package var transactionID: UInt32?
    /// A restore point's name, with `*` and `?`: what is no restore point is left out.
    package var restorePoint: String?
    /// The newest so many; nil for all.
    package var limit: Int?
    /// None but those of which not all names are known.
    var isUnnamed = false

    package init() {}

    struct Partition: Hashable, Sendable {
        let database: UInt32
        let relation: UInt32
    }

    /// Words for kinds, as `events` takes them: each kind's own, and some that stand for several.
    package static let words: [(word: String, kinds: Set<String>)] = [
        ("drop", ["drop"]), ("truncate", ["truncate"]), ("rewrite", ["rewrite"]),
        ("delete", ["mass-delete"]), ("mass-delete", ["mass-delete"]),
        ("update", ["mass-update"]), ("mass-update", ["mass-update"]),
        ("database", ["database-create", "database-drop"]),
        ("database-create", ["database-create"]), ("database-drop", ["database-drop"]),
        ("tablespace", ["tablespace-create", "tablespace-drop"]),
        ("tablespace-create", ["tablespace-create"]), ("tablespace-drop", ["tablespace-drop"]),
        ("restore-point", ["restore-point"]), ("parameter-change", ["parameter-change"]),
        ("full-page-writes-change", ["full-page-writes-change"]), ("timeline-switch", ["timeline-switch"]),
        ("checkpoint", ["checkpoint"]),
    ]

    private static let usual = Set(words.flatMap(\.kinds)).subtracting(["checkpoint"])

    var wantedKinds: Set<String> { kinds ?? Self.usual }

    func wants(_ time: PostgresTime?) -> Bool {
        if since == nil && until == nil { return true }
        guard let time else { return false }
        return (since.map { time >= $0 } ?? true) && (until.map { time <= $0 } ?? true)
    }

    func wants(_ event: SurveyEvent) -> Bool {
        if let transactionID, event.transactionID != transactionID { return false }
        guard let restorePoint else { return true }
        guard case .restorePoint(let name) = event.kind else { return false }
        return name == restorePoint || Glob.matches(restorePoint.lowercased(), name.lowercased())
    }

    func wants(_ named: NamedEvent) -> Bool {
        guard let table = table.map(Self.folded) else { return true }
        if case .databaseDrop = named.event.kind { return named.database.map { $0.lowercased() == table } ?? false }
        return named.names.contains { name in
            isPartition(name) || Self.forms(of: name, database: named.database).contains { Glob.matches(table, $0) }
        }
    }

    func isPartition(_ name: KnownName) -> Bool {
        !partitions.isEmpty && partitions.contains(Partition(database: name.database, relation: name.relation))
    }

    /// A name as people write it, in the form of `forms`: without quotes around its parts.
    package static func folded(_ table: String) -> String {
        var parts = table.lowercased().split(separator: ".", omittingEmptySubsequences: false).map(String.init)
        for index in parts.indices where parts[index].utf8.count > 2 {
            guard parts[index].utf8.first == 0x22, parts[index].utf8.last == 0x22 else { continue }
            parts[index] = String(parts[index].dropFirst().dropLast()).replacing("\"\"", with: "\"")
        }
        return parts.joined(separator: ".")
    }

    /// How people write a name, in small letters: alone, with its schema, with its database, and with both.
    ///
    /// A name may hold spaces and dots itself.
    package static func forms(of name: KnownName, database: String?) -> [String] {
        let alone = name.name.lowercased()
        let forms = [alone] + (name.schema.isEmpty ? [] : ["\(name.schema.lowercased()).\(alone)"])
        return forms + (database.map { database in forms.map { "\(database.lowercased()).\($0)" } } ?? [])
    }
}

/// One whose names are not known, or several of a transaction that are alike: where it is.
package struct UnnamedEvent: Hashable, Sendable {
    package let start: LSN
    package let timeline: TimelineID
    package let kind: String

    /// - Parameter timeline: of the segments that have it, where these are not its own's.
    init(_ event: SurveyEvent, in timeline: TimelineID? = nil) {
        (start, self.timeline, kind) = (event.start, timeline ?? event.timeline, event.kind.name)
    }

    /// In a segment of its own timeline.
    init(_ place: EventPlace) {
        (start, timeline, kind) = (place.start, place.timeline, place.kind)
    }

    func isBefore(_ other: UnnamedEvent) -> Bool {
        (timeline, start, kind) < (other.timeline, other.start, other.kind)
    }
}

/// Events, found and named.
package struct EventList: Sendable {
    /// In the order of WAL.
    package var events: [NamedEvent] = []
    /// There are older ones, which the limit leaves out.
    package var hasMore = false
    /// Those that may be of the table that is asked for, as far as their names are not known; in the order of WAL.
    package var unnamed: [UnnamedEvent] = []

    package var unknown: [UnnamedEvent] {
        (events.filter(\.isUnknown).map { UnnamedEvent($0.event) } + unnamed).sorted { $0.start < $1.start }
    }

    package static func find(_ filter: EventFilter, in contents: ArchiveContents) throws -> EventList {
        let names = EventNames(contents.index)
        var list = EventList()
        // From the newest on: times and names cost a look each.
        let unvisited = try contents.eachEvent(filter) { event in
            guard filter.wants(event) else { return true }
            var event = event
            if filter.since != nil || filter.until != nil { event.time = try event.time ?? contents.time(of: event) }
            guard filter.wants(event.time) else { return true }
            // What is not read is not known: the names that there are may be enough.
            if filter.table != nil { event = (try? contents.container.whole(event)) ?? event }
            var named = try names.named(event)
            guard filter.wants(named), !filter.isUnnamed else {
                if named.isUnknown { list.unnamed.append(UnnamedEvent(event)) }
                return true
            }
            if let limit = filter.limit, list.events.count >= limit {
                list.hasMore = true
                return false
            }
            named.event.time = try event.time ?? contents.time(of: event)
            list.events.append(named)
            return true
        }
        list.events.reverse()
        list.unnamed = Set(list.unnamed + unvisited).sorted { $0.isBefore($1) }
        return list
    }
}

extension ArchiveContents {
    /// Of a record without a time: that of the first transaction that ends behind it, mostly its own.
    fileprivate func time(of event: SurveyEvent) throws -> PostgresTime? {
        var time: PostgresTime?
        let walk = WALWalk(container.walDirectory, expectation: container.expectation)
        let path = try container.path(to: event.timeline)
        let limit = event.end.advanced(by: Self.outlookBytes)
        _ = try walk.records(from: event.start, along: path, upTo: limit) { record, _, body, major in
            switch body.isEmpty ? nil : WALEvent.decode(record, body: body, major: major) {
            case .commit(let end), .abort(let end): time = end.time
            case .restorePoint(_, let moment): time = moment
            default: return .proceed
            }
            return .stop
        }
        return time
    }
}
