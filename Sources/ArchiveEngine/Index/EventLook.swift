package import ArchiveModel
import Platform
import PostgresLink
package import WALFormat

/// Looks names up that no reading of the standby's catalogs met: in a clone of the moment just before the event, which
/// is removed again at once.
package struct EventLook {
    private let container: Container
    private let progress: Progress
    private let interruption: Interruption?

    /// So many at one time: each takes seconds.
    package static let most = 20

    package init(_ container: Container, progress: Progress = .silent, interruption: Interruption? = nil) {
        self.container = container
        self.progress = progress
        self.interruption = interruption
    }

    /// Finds and keeps the names of the newest of these events; those that cannot be reached are left as they are.
    ///
    /// - Parameter say: is told why one was left.
    /// - Returns: those that were not looked at.
    package func resolve(
        _ events: [UnnamedEvent],
        say: @escaping @Sendable (String) -> Void
    ) throws -> [UnnamedEvent] {
        let index = TargetIndex.of(container, for: "a look at names", say: say)
        var left = Array(events.dropLast(Self.most))
        for unnamed in events.suffix(Self.most).reversed() {
            do {
                try interruption?.check()
                // An earlier look may have found it. All of one transaction are of one moment and one database.
                let events = try unknown(unnamed, say)
                if let first = events.first {
                    let names = try look(before: first, for: events, index)
                    try IndexFile(container).use(for: "a look at names", say: say) { database in
                        try database.database.transaction {
                            for name in names { try database.insert(name) }
                        }
                    }
                }
            } catch let error as ArchiveError where error.code != .interrupted {
                say("the names at \(unnamed.start) cannot be looked up: \(error.what)")
                left.append(unnamed)
            }
        }
        return left
    }

    /// What is there and has no names.
    private func unknown(
        _ unnamed: UnnamedEvent,
        _ say: @escaping @Sendable (String) -> Void
    ) throws -> [SurveyEvent] {
        try ArchiveContents.use(container, for: "a look at names", glance: true, say: say) { contents in
            let names = EventNames(contents.index)
            return try contents.events(at: unnamed.start)
                .filter { $0.timeline == unnamed.timeline && $0.kind.name == unnamed.kind }
                // What is not read is not known: the names that there are may be enough.
                .map { (try? container.whole($0)) ?? $0 }
                .filter { try names.named($0).isUnknown }
        }
    }

    /// Finds and keeps the names of tables that were dropped on a path, after a position, and are not known.
    ///
    /// - Returns: the last drop whose names are not known even so: it was not looked at, or they could not be found.
    package func nameDrops(
        after position: LSN?,
        along path: TimelinePath,
        say: @escaping @Sendable (String) -> Void
    ) throws -> LSN? {
        let unknown = try unknownDrops(after: position, along: path, say)
        guard !unknown.isEmpty else { return nil }
        _ = try resolve(unknown, say: say)
        return try unknownDrops(after: position, along: path, say).map(\.start).max()
    }

    private func unknownDrops(
        after position: LSN?,
        along path: TimelinePath,
        _ say: @escaping @Sendable (String) -> Void
    ) throws -> [UnnamedEvent] {
        var filter = EventFilter()
        filter.kinds = ["drop"]
        filter.isUnnamed = true
        return try ArchiveContents.use(container, for: "a look at names", glance: true, say: say) { contents in
            try EventList.find(filter, in: contents).unnamed.filter { drop in
                path.timeline(at: drop.start) == drop.timeline && position.map { drop.start > $0 } ?? true
            }
        }
    }

    /// The relations of events that begin at one position, as the catalogs had them just before it.
    private func look(
        before event: SurveyEvent,
        for events: [SurveyEvent],
        _ index: TargetIndex
    ) throws -> [KnownName] {
        guard let database = event.database, database != 0 else { return [] }
        progress.step("looking at the catalogs just before \(event.start)")
        let plan = try TargetResolver(container, index: index).resolve(
            .before(event.start),
            timeline: .number(event.timeline)
        )
        let look = try Look.open(
            container,
            plan,
            requested: "just before \(event.start)",
            keepSeconds: 0,
            interruption: interruption
        )
        defer { look.close() }
        let catalog = CatalogNames(container: container, port: look.port)
        let shared = try catalog.shared(at: event.start)
        guard let databaseName = shared.databases[database] else { return [] }
        let wanted = events.map(\.kind.relations)
        // The database may be as new as the table.
        let itself = shared.names.filter { $0.kind == .database && $0.relation == database }
        return try itself
            + catalog.relations(of: database, name: databaseName, at: event.start, withTOASTIndexes: true)
            .filter { name in
                wanted.contains { $0.oids.contains(name.relation) || $0.files.contains(name.file) }
            }
            .map { found in
                var name = found
                // It is no more, or has another file, from the event on.
                name.seenTo = event.start
                return name
            }
    }
}

extension SurveyEvent.Kind {
    /// By what its names are found.
    fileprivate var relations: (oids: Set<UInt32>, files: Set<UInt32>) {
        switch self {
        case .drop(let found): (Set(found.dropped), Set(found.removed.map(\.number)))
        case .truncate(let found), .rewrite(let found): (Set(found.locked), Set(found.removed.map(\.number)))
        case .massDelete(let file, _), .massUpdate(let file, _): ([], [file.number])
        default: ([], [])
        }
    }
}
