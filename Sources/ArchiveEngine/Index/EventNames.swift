package import WALFormat

/// An event with the names of what it was done to.
package struct NamedEvent: Codable, Hashable, Sendable {
    package var event: SurveyEvent
    /// Nil for events of no database, and where its name is not known.
    package var database: String?
    /// Tables; where there is none of these, indexes and sequences.
    package var names: [KnownName]
    /// Some of its files belong to no name that is known.
    package var isUnknown: Bool

    package init(event: SurveyEvent, database: String?, names: [KnownName], isUnknown: Bool) {
        self.event = event
        self.database = database
        self.names = names
        self.isUnknown = isUnknown
    }

    /// The names with their schemas, each once, as people read them.
    package var objects: [String] {
        var seen: Set<String> = []
        return names.map(\.text).filter { seen.insert($0).inserted }
    }
}

/// Gives events the names of relations, as they were when it happened.
package struct EventNames {
    private let index: IndexDatabase

    package init(_ index: IndexDatabase) {
        self.index = index
    }

    package func named(_ event: SurveyEvent) throws(SQLiteError) -> NamedEvent {
        let oid = event.database ?? 0
        let database = oid == 0 ? nil : try at(event, byOID: oid, in: 0, kind: .database)?.name
        var found: [KnownName] = []
        var isUnknown = false
        switch event.kind {
        case .drop(let files): (found, isUnknown) = try relations(files, by: files.dropped, areAll: true, event)
        case .truncate(let files), .rewrite(let files):
            (found, isUnknown) = try relations(files, by: files.locked, areAll: false, event)
        case .massDelete(let file, _), .massUpdate(let file, _):
            found = try [at(event, byFile: file)].compactMap(\.self)
            isUnknown = found.isEmpty
        case .tablespaceDrop(let oid), .tablespaceCreate(let oid, _):
            found = try [at(event, byOID: oid, in: 0, kind: .tablespace)].compactMap(\.self)
        default: break
        }
        return NamedEvent(event: event, database: database, names: Self.said(found), isUnknown: isUnknown)
    }

    /// What belongs to a table goes with it and need not be said.
    private static func said(_ names: [KnownName]) -> [KnownName] {
        let tables = names.filter(\.kind.isTable)
        return tables.isEmpty ? names : tables
    }

    /// What a commit removed or replaced: by its files and oids.
    ///
    /// - Parameter areAll: the oids are those of the relations, and of no others; else they serve only where a file has
    ///   no name.
    private func relations(
        _ files: SurveyEvent.Files,
        by oids: [UInt32],
        areAll: Bool,
        _ event: SurveyEvent
    ) throws(SQLiteError) -> ([KnownName], isUnknown: Bool) {
        var found: [KnownName] = []
        for file in files.removed {
            if let name = try at(event, byFile: file) { found.append(name) }
        }
        let hasAllFiles = Self.areAll(found, of: files.removed.count)
        if hasAllFiles, !areAll { return (found, false) }
        var byOID: [KnownName] = []
        for oid in oids {
            if let name = try at(event, byOID: oid, in: event.database ?? 0) { byOID.append(name) }
        }
        let hasAllOIDs = !oids.isEmpty && Self.areAll(byOID, of: oids.count)
        let more = byOID.filter { name in !found.contains { $0.relation == name.relation } }
        return (found + more, !hasAllFiles && !hasAllOIDs)
    }

    /// Each TOAST table has an index, whose name is not kept.
    private static func areAll(_ names: [KnownName], of count: Int) -> Bool {
        names.count + names.count { $0.kind == .toast } >= count
    }

    private func at(_ event: SurveyEvent, byFile file: RelationFile) throws(SQLiteError) -> KnownName? {
        let database = file.database
        let names = try index.names("database = ? AND file = ?", [SQLiteValue(database), SQLiteValue(file.number)])
        return Self.latest(names, at: event.start)
    }

    private func at(
        _ event: SurveyEvent,
        byOID oid: UInt32,
        in database: UInt32,
        kind: KnownName.Kind? = nil
    ) throws(SQLiteError) -> KnownName? {
        let names = try index.names("database = ? AND relation = ?", [SQLiteValue(database), SQLiteValue(oid)])
        return Self.latest(names.filter { kind == nil || $0.kind == kind }, at: event.start)
    }

    /// The name that was seen on both sides of a position, else last before it; one that was first seen later, else.
    ///
    /// One that was no longer seen belongs to what is gone, perhaps with another timeline.
    private static func latest(_ names: [KnownName], at position: LSN) -> KnownName? {
        let earlier = names.filter { $0.seenFrom <= position }
        return earlier.last { name in name.seenTo.map { position <= $0 } ?? true } ?? earlier.last ?? names.first
    }
}

extension EventNames {
    /// The name of the database in which something happened at a position, where it is known.
    package static func database(
        of position: LSN,
        in container: Container,
        say: (String) -> Void
    ) throws -> String? {
        // As the index is, which is quick; what is not in it yet is read.
        let known = try? IndexFile(container).look { index in
            try EventNames(index).database(of: index.events(at: position))
        }
        if let known { return known }
        return try ArchiveContents.use(container, for: "a look", say: say) { contents in
            try EventNames(contents.index).database(of: contents.events(at: position))
        }
    }

    private func database(of events: [SurveyEvent]) throws -> String? {
        for event in events {
            // A database that is dropped is none to connect to.
            if case .databaseDrop = event.kind { continue }
            if let name = try named(event).database { return name }
        }
        return nil
    }
}
