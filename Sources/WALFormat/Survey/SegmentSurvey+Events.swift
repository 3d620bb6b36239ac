extension SegmentSurvey {
    /// Takes what is an event by itself, whatever becomes of its transaction.
    mutating func take(_ event: WALEvent, _ record: WALRecord) {
        var time: PostgresTime?
        let kind: SurveyEvent.Kind
        switch event {
        case .checkpoint(let checkpoint):
            facts.lastCheckpoint = .init(
                start: record.start,
                end: record.end,
                redo: checkpoint.redo,
                timeline: checkpoint.timeline,
                isShutdown: checkpoint.isShutdown,
                time: checkpoint.time
            )
            if checkpoint.timeline != checkpoint.previousTimeline {
                let change = SurveyEvent.Kind.timelineSwitch(from: checkpoint.previousTimeline, to: checkpoint.timeline)
                append(change, record, time: checkpoint.time)
            }
            (kind, time) = (.checkpoint(redo: checkpoint.redo, isShutdown: checkpoint.isShutdown), checkpoint.time)
        case .endOfRecovery(let timeline, let previous, let moment):
            (kind, time) = (.timelineSwitch(from: previous, to: timeline), moment)
        case .parameterChange(let change):
            facts.parameters = facts.parameters?.raised(to: change) ?? change
            kind = .parameterChange(change)
        case .restorePoint(let name, let moment): (kind, time) = (.restorePoint(name: name), moment)
        case .fullPageWritesChange(let isOn): kind = .fullPageWritesChange(isOn)
        case .tablespaceCreate(let oid, let path): kind = .tablespaceCreate(oid: oid, path: path)
        case .tablespaceDrop(let oid): kind = .tablespaceDrop(oid: oid)
        case .databaseCreate(let creation): kind = .databaseCreate(database: creation.database)
        case .databaseDrop(let database, _): kind = .databaseDrop(database: database)
        case .commit, .abort, .prepare, .switchSegment, .overwriteContrecord, .backupEnd: return
        }
        append(kind, record, time: time)
    }

    private mutating func append(_ kind: SurveyEvent.Kind, _ record: WALRecord, time: PostgresTime?) {
        var database: UInt32?
        switch kind {
        case .databaseCreate(let oid), .databaseDrop(let oid): database = oid
        default: break
        }
        events.append(
            SurveyEvent(
                start: record.start,
                end: record.end,
                timeline: TimelineID(0),
                time: time,
                transactionID: record.transactionID,
                database: database,
                kind: kind
            )
        )
    }
}
