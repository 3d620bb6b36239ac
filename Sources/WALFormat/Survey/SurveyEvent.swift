/// Something in the WAL that people look for, or recover to just before of.
package struct SurveyEvent: Hashable, Sendable, Codable {
    /// Of the record that makes it so, for what a transaction did its commit: recovery up to `start` leaves it out.
    package var start: LSN
    package var end: LSN
    package var timeline: TimelineID
    /// Of the commit, or what the record itself says; nil for records without a time.
    package var time: PostgresTime?
    /// The top-level transaction; 0 for records of none.
    package var transactionID: UInt32
    package var database: UInt32?
    package var kind: Kind

    package init(
        start: LSN,
        end: LSN,
        timeline: TimelineID,
        time: PostgresTime?,
        transactionID: UInt32,
        database: UInt32?,
        kind: Kind
    ) {
        self.start = start
        self.end = end
        self.timeline = timeline
        self.time = time
        self.transactionID = transactionID
        self.database = database
        self.kind = kind
    }

    /// Deletes or updates of fewer rows of one table by one transaction are no event.
    package static var massThreshold: UInt64 { 100 }

    package enum Kind: Hashable, Sendable, Codable {
        /// Relations that existed before the transaction are gone.
        case drop(Files)
        /// The files were replaced by new ones that nothing was put into.
        case truncate(Files)
        /// The files were replaced by new ones with rows in them: VACUUM FULL, CLUSTER, ALTER TABLE, REINDEX, REFRESH,
        /// also a TRUNCATE with rows added in the same transaction.
        case rewrite(Files)
        case massDelete(relation: RelationFile, rows: UInt64)
        case massUpdate(relation: RelationFile, rows: UInt64)
        case databaseCreate(database: UInt32)
        case databaseDrop(database: UInt32)
        case tablespaceCreate(oid: UInt32, path: String)
        case tablespaceDrop(oid: UInt32)
        case restorePoint(name: String)
        case parameterChange(WALEvent.ParameterChange)
        case fullPageWritesChange(Bool)
        case timelineSwitch(from: TimelineID, to: TimelineID)
        case checkpoint(redo: LSN, isShutdown: Bool)

        /// A word for each, for tables and filters.
        package var name: String {
            switch self {
            case .drop: "drop"
            case .truncate: "truncate"
            case .rewrite: "rewrite"
            case .massDelete: "mass-delete"
            case .massUpdate: "mass-update"
            case .databaseCreate: "database-create"
            case .databaseDrop: "database-drop"
            case .tablespaceCreate: "tablespace-create"
            case .tablespaceDrop: "tablespace-drop"
            case .restorePoint: "restore-point"
            case .parameterChange: "parameter-change"
            case .fullPageWritesChange: "full-page-writes-change"
            case .timelineSwitch: "timeline-switch"
            case .checkpoint: "checkpoint"
            }
        }
    }

    /// What a drop, truncate or rewrite did away with.
    package struct Files: Hashable, Sendable, Codable {
        /// The files removed at the commit: of tables, their indexes and TOAST tables.
        package var removed: [RelationFile]
        /// The oids of relations that are no more (their names are in the catalogs before `start`): of a drop all, of a
        /// rewrite those it used on its way and the old TOAST table; of a truncate none.
        package var dropped: [UInt32]
        /// The oids of relations the transaction had locked exclusively (tables, indexes, perhaps others as well): of a
        /// truncate or rewrite the names are found by these.
        package var locked: [UInt32]
        /// Files that came in their place; empty for a mere drop.
        package var created: [RelationFile]

        package init(removed: [RelationFile], dropped: [UInt32], locked: [UInt32], created: [RelationFile]) {
            self.removed = removed
            self.dropped = dropped
            self.locked = locked
            self.created = created
        }
    }
}
