import ArchiveModel
package import WALFormat

/// An event that somebody looks for, and whether the state before it can still be had.
package struct FoundEvent: Sendable {
    package var named: NamedEvent
    /// To be named where it is not on the way to the newest timeline.
    package var timeline: TimelineID?
    /// A snapshot lies before it, on its way.
    package var isReachable: Bool
}

/// Finds what happened to tables, newest first: by the index alone, no server is asked.
package struct EventSearch: Sendable {
    /// What people look for who name no kind: what was lost, and where they marked a moment.
    package static let losses: Set<String> = [
        "drop", "truncate", "mass-delete", "mass-update", "database-drop", "tablespace-drop", "restore-point",
    ]

    package private(set) var found: [FoundEvent]
    package private(set) var hasMore: Bool
    /// Those that may be of the table that is asked for; in the order of WAL.
    package private(set) var unnamed: [UnnamedEvent]
    /// The known table that is called nearly so, where none is called so.
    package private(set) var nearest: String?

    package static func run(_ filter: EventFilter, in contents: ArchiveContents) throws -> EventSearch {
        let filter = try filter.withPartitions(contents.container, contents.index)
        let list = try EventList.find(filter, in: contents)
        var nearest: String?
        if list.events.isEmpty, let table = filter.table { nearest = try near(table, in: contents.index) }
        let reach = try Reach(contents.container)
        return EventSearch(
            found: try list.events.reversed().map { named in
                let timeline = try reach.timeline(of: named.event)
                return FoundEvent(
                    named: named,
                    timeline: timeline,
                    isReachable: try reach.isReachable(named.event, timeline)
                )
            },
            hasMore: list.hasMore,
            unnamed: list.unnamed,
            nearest: nearest
        )
    }

    /// Compared in the form in which it was written: with as many dots.
    static func near(_ table: String, in index: IndexDatabase) throws -> String? {
        let wanted = EventFilter.folded(table)
        let forms = try index.forms(dots: wanted.count { $0 == "." })
        guard !forms.contains(wanted) else { return nil }
        return Spelling.nearest(to: wanted, among: Array(forms))
    }
}

/// Which events a snapshot lies before.
private struct Reach {
    private let container: Container
    private let snapshots: [SnapshotRecord]
    private let newest: TimelinePath

    init(_ container: Container) throws {
        self.container = container
        snapshots = try SnapshotCatalog(container).all().filter(\.live)
        newest = try TargetResolver(container).path(.newest)
    }

    /// Nil on the way to the newest.
    func timeline(of event: SurveyEvent) throws -> TimelineID? {
        newest.timeline(at: event.start) == event.timeline ? nil : event.timeline
    }

    func isReachable(_ event: SurveyEvent, _ timeline: TimelineID?) throws -> Bool {
        let path = try timeline.map { try container.path(to: $0) } ?? newest
        return snapshots.contains { $0.consistent <= event.start && path.contains($0.timeline) }
    }
}
