/// The events that a committed transaction is.
///
/// A drop, a truncate and a rewrite look alike at the commit: files are removed. What the transaction did to pg_class
/// tells them apart. TRUNCATE and the rewriting commands create new files for relations that stay; a rewrite also has a
/// row of its own in pg_class for a while, and leaves the table with another TOAST table. Only a drop of something with
/// rows (table, materialized view) removes a row of pg_type that was there before.
struct CommittedEffects {
    private let end: SegmentSurvey.End
    private let effects: TransactionEffects
    private let created: Set<RelationFile>
    /// Files that were there before the transaction.
    private let removed: [RelationFile]
    private let dropped: ArraySlice<UInt32>
    /// Files that came and stay.
    private let staying: [RelationFile]
    private let catalog: CatalogBalance

    init(
        _ end: SegmentSurvey.End,
        _ effects: TransactionEffects,
        removed: ArraySlice<RelationFile>,
        dropped: ArraySlice<UInt32>
    ) {
        self.end = end
        self.dropped = dropped
        self.effects = effects
        let created = effects.notes.compactMap { note -> RelationFile? in
            if case .created(let file) = note.what { return file }
            return nil
        }
        self.created = Set(created)
        self.removed = removed.filter { [made = self.created] in !made.contains($0) }
        let gone = Set(removed)
        self.staying = created.filter { !gone.contains($0) }
        self.catalog = CatalogBalance(effects.notes)
    }

    func events(listed: Int) -> [SurveyEvent] {
        (fileEvents(listed) + rowEvents().prefix(listed)).map { kind in
            SurveyEvent(
                start: end.start,
                end: end.end,
                timeline: TimelineID(0),
                time: end.time,
                transactionID: end.transactionID,
                database: end.database ?? (removed.first ?? effects.files.first?.file)?.database,
                kind: kind
            )
        }
    }

    private func fileEvents(_ listed: Int) -> [SurveyEvent.Kind] {
        guard !removed.isEmpty else { return [] }
        var locked: [UInt32] = []
        for note in effects.notes.sorted(by: { $0.position < $1.position }) {
            if case .locked(let relation) = note.what, !locked.contains(relation), locked.count < listed {
                locked.append(relation)
            }
        }
        let mere = SurveyEvent.Files(
            removed: Array(removed.prefix(listed)),
            dropped: Array(dropped.prefix(listed)),
            locked: locked,
            created: []
        )
        // More new files than new relations to have them: some relation got a new file.
        let isReplaced = staying.count > catalog.relationsAdded
        let isDropped =
            catalog.typesRemoved > 0
            || catalog.relationsRemoved > 0 && (!isReplaced || catalog.relationsRemoved != catalog.relationsAdded)
            || catalog.isEmpty && (!isReplaced || !dropped.isEmpty)
        var kinds: [SurveyEvent.Kind] = isDropped ? [.drop(mere)] : []
        if isReplaced, removed.count > (isDropped ? catalog.relationsRemoved : 0) {
            var files = mere
            files.created = Array(staying.prefix(listed))
            let stay = Set(staying)
            let isFilled = effects.files.contains { $0.inserts > 0 && stay.contains($0.file) }
            if isFilled {
                kinds.append(.rewrite(files))
            } else if !locked.isEmpty {
                // Without a lock it is ALTER SEQUENCE.
                kinds.append(.truncate(files))
            }
        }
        return kinds
    }

    /// Largest first.
    private func rowEvents() -> [SurveyEvent.Kind] {
        var found: [(rows: UInt64, kind: SurveyEvent.Kind)] = []
        for rows in effects.files where !rows.file.isOfCatalog && !created.contains(rows.file) {
            if rows.deletes >= SurveyEvent.massThreshold {
                found.append((rows.deletes, .massDelete(relation: rows.file, rows: rows.deletes)))
            }
            if rows.updates >= SurveyEvent.massThreshold {
                found.append((rows.updates, .massUpdate(relation: rows.file, rows: rows.updates)))
            }
        }
        return found.sorted { $0.rows > $1.rows }.map(\.kind)
    }
}

/// How many rows of pg_class and pg_type a transaction added and removed; what it did both to counts as neither.
private struct CatalogBalance {
    private(set) var relationsAdded = 0
    private(set) var relationsRemoved = 0
    private(set) var typesRemoved = 0
    private(set) var isEmpty = true

    init(_ notes: [TransactionEffects.Note]) {
        var own: Set<TransactionEffects.CatalogRow> = []
        for note in notes.sorted(by: { $0.position < $1.position }) {
            switch note.what {
            case .rowInserted(let row): own.insert(row)
            case .rowUpdated(let old, let new):
                if own.remove(old) != nil { own.insert(new) }
            case .rowDeleted(let row):
                isEmpty = false
                if own.remove(row) != nil { continue }
                if row.file.isPgClass { relationsRemoved += 1 } else { typesRemoved += 1 }
            case .created, .locked: continue
            }
        }
        relationsAdded = own.count { $0.file.isPgClass }
    }
}
