package import ArchiveModel
package import WALFormat

/// The mistake: what one transaction did to some tables.
package struct UndoSubject: Sendable {
    package var kind: UndoKind
    /// Of one transaction, of this kind; the first is as good as any for its time and position.
    package var first: NamedEvent
    package var events: [NamedEvent]
    /// Only these tables of it; empty for all.
    package var chosen: [KnownName]
    /// What the same transaction did besides.
    package var others: [NamedEvent]
    package var database: String
    /// Others of the kind that happened to the chosen tables before.
    package var earlier = 0
}

/// Finds the mistake that a user means.
package struct UndoSearch {
    private let container: Container
    private let path: TimelinePath
    private let look: EventLook
    private let say: @Sendable (String) -> Void

    /// - Parameters:
    ///   - timeline: which to follow: a drop elsewhere is another history's.
    ///   - look: finds out the names of later events that may be it.
    package init(
        _ container: Container,
        timeline: TargetResolver.Timeline,
        look: EventLook,
        say: @escaping @Sendable (String) -> Void
    ) throws {
        self.container = container
        self.path = try TargetResolver(container).path(timeline)
        self.look = look
        self.say = say
    }

    /// The last such thing that happened to a table.
    package func last(_ kind: UndoKind, of table: String) throws -> UndoSubject {
        var filter = EventFilter()
        filter.kinds = [kind.event]
        filter.table = table
        filter = try withPartitions(filter)
        var list = try find(filter)
        let later = unnamed(list)
        if !later.isEmpty {
            _ = try look.resolve(later, say: say)
            list = try find(filter)
        }
        let events = list.events.filter(isOnPath)
        guard let last = events.last else { throw try notFound(kind, table, list) }
        if let unnamed = unnamed(list).last {
            throw ArchiveError(
                .refused,
                "which table was \(kind.past) at \(unnamed.start) is not known, and it may be '\(table)'",
                hint: "the last that is known of it is --event \(last.event.start); "
                    + "'pgarchive wal_archive events --resolve-names' looks up names",
                details: []
            )
        }
        try requireOne(filter, table, kind, events)
        var subject = try subject(kind, first: last, chosen: Self.names(last, table, filter))
        subject.earlier = Set(events.map(\.event.start)).count - 1
        return subject
    }

    /// What happened at a position.
    ///
    /// - Parameter kind: nil for whatever it is.
    package func at(_ position: LSN, _ kind: UndoKind? = nil) throws -> UndoSubject {
        let found = try named(at: position)
        let kinds = kind.map { [$0] } ?? UndoKind.allCases
        for kind in kinds {
            guard let first = found.first(where: { $0.event.kind.name == kind.event }) else { continue }
            return try subject(kind, first: first, chosen: [])
        }
        guard let other = found.first else {
            throw ArchiveError(
                .notFound,
                "there is no event at \(position) on timeline \(path.timeline(at: position))",
                hint: "'pgarchive find' shows what happened, with what to type"
            )
        }
        if case .databaseDrop = other.event.kind {
            throw ArchiveError(
                .refused,
                "a whole database is not put back by this command",
                hint: "'pgarchive dump --before \(position) -C \(other.database ?? "NAME")' writes all of it, for psql"
            )
        }
        throw ArchiveError(
            .refused,
            "what happened at \(position) is a \(other.event.kind.name), which is not undone by this command",
            hint: "'pgarchive psql --before \(position)' looks at the moment before it, 'pgarchive dump --before "
                + "\(position)' takes what you need"
        )
    }

    private func find(_ filter: EventFilter) throws -> EventList {
        try ArchiveContents.use(container, for: "undo", glance: true, say: say) { try EventList.find(filter, in: $0) }
    }

    private func withPartitions(_ filter: EventFilter) throws -> EventFilter {
        try ArchiveContents.use(container, for: "undo", glance: true, say: say) {
            try filter.withPartitions(container, $0.index)
        }
    }

    private func isOnPath(_ named: NamedEvent) -> Bool {
        path.timeline(at: named.event.start) == named.event.timeline
    }

    /// Those behind the last one that is known.
    private func unnamed(_ list: EventList) -> [UnnamedEvent] {
        let last = list.events.last(where: isOnPath)?.event.start
        return list.unnamed.filter { event in
            path.timeline(at: event.start) == event.timeline && last.map { event.start > $0 } ?? true
        }
    }

    private func named(at position: LSN) throws -> [NamedEvent] {
        try ArchiveContents.use(container, for: "undo", glance: true, say: say) { contents in
            let names = EventNames(contents.index)
            return try contents.events(at: position).filter { path.timeline(at: $0.start) == $0.timeline }
                .map { try names.named(container.whole($0)) }
        }
    }

    private func subject(_ kind: UndoKind, first: NamedEvent, chosen: [KnownName]) throws -> UndoSubject {
        let all = try named(at: first.event.start)
        var events = all.filter { $0.event.kind.name == kind.event }
        if !chosen.isEmpty {
            let relations = Set(chosen.map(\.relation))
            events = events.filter { event in event.names.contains { relations.contains($0.relation) } }
        }
        let others = all.filter { !events.contains($0) }
        guard let database = first.database else {
            throw ArchiveError(
                .refused,
                "the database of what was \(kind.past) at \(first.event.start) is not known",
                hint: "'pgarchive wal_archive events --resolve-names' looks up names"
            )
        }
        if kind == .delete { try requireWhole(all, database) }
        return UndoSubject(
            kind: kind,
            first: first,
            events: events.isEmpty ? [first] : events,
            chosen: chosen,
            others: others,
            database: database
        )
    }

    /// So many tables of one transaction have events of their rows: the rest would be missing, and nobody would know.
    private func requireWhole(_ all: [NamedEvent], _ database: String) throws {
        let rows = all.filter { ["mass-delete", "mass-update"].contains($0.event.kind.name) }
        guard rows.count >= SurveyState.listed, let start = rows.first?.event.start else { return }
        throw ArchiveError(
            .refused,
            "the transaction at \(start) deleted from or updated \(SurveyState.listed) or more tables or partitions: "
                + "an undo knows of no more, and would leave out the rest",
            hint: "'pgarchive dump --before \(start)' takes what you need of database '\(database)'"
        )
    }

    private static func names(_ named: NamedEvent, _ table: String, _ filter: EventFilter) -> [KnownName] {
        let wanted = EventFilter.folded(table)
        return named.names.filter {
            filter.isPartition($0) || EventFilter.forms(of: $0, database: named.database).contains(wanted)
        }
    }

    private func requireOne(_ filter: EventFilter, _ table: String, _ kind: UndoKind, _ events: [NamedEvent]) throws {
        var last: [String: NamedEvent] = [:]
        for named in events {
            for name in Self.names(named, table, filter) {
                let text = filter.isPartition(name) ? table : name.text
                last[(named.database.map { "\($0)." } ?? "") + text] = named
            }
        }
        guard last.count > 1 else { return }
        throw ArchiveError(
            .refused,
            "there are \(last.count) tables '\(table)' that were \(kind.past)",
            hint: "give the database and the schema too, or --event with the position",
            details: last.sorted { $0.key < $1.key }.map { name, named in
                "\(name): --event \(named.event.start)"
                    + (named.event.time.map { ", \(Instant.local($0))" } ?? "")
            }
        )
    }

    private func notFound(_ kind: UndoKind, _ table: String, _ list: EventList) throws -> ArchiveError {
        if let elsewhere = list.events.last {
            return ArchiveError(
                .refused,
                "'\(table)' was \(kind.past) on timeline \(elsewhere.event.timeline) only, at \(elsewhere.event.start)",
                hint: "--timeline \(elsewhere.event.timeline) follows that one"
            )
        }
        let nearest = try ArchiveContents.use(container, for: "undo", glance: true, say: say) {
            try EventSearch.near(table, in: $0.index)
        }
        return ArchiveError(
            .notFound,
            "no table '\(table)' is known to have been \(kind.past)",
            hint: nearest.map { "did you mean '\($0)'?" }
                ?? "'pgarchive find' shows what happened; --event takes its position",
            details: unnamed(list).suffix(1).map {
                "which table was \(kind.past) at \($0.start) is not known, and it may be it"
            } + (kind == .delete ? ["deletes of fewer than \(SurveyEvent.massThreshold) rows are not listed"] : [])
        )
    }
}
