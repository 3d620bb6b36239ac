import ArchiveModel
import WALFormat
import WALStore

extension Container {
    /// An event's commit, read from the WAL; nil where the WAL there is something else, or not to be had.
    func commit(of event: SurveyEvent) throws -> WALEvent.TransactionEnd? {
        var commit: WALEvent.TransactionEnd?
        let walk = WALWalk(walDirectory, expectation: expectation)
        _ = try walk.records(from: event.start, along: path(to: event.timeline), upTo: event.end) {
            record,
            _,
            body,
            major in
            if !body.isEmpty, case .commit(let end) = WALEvent.decode(record, body: body, major: major) { commit = end }
            return .stop
        }
        return commit
    }

    /// An event with all that its transaction removed: of very much the index holds only the beginning.
    func whole(_ event: SurveyEvent) throws -> SurveyEvent {
        guard event.kind.mayBeCut else { return event }
        guard let commit = try commit(of: event), commit.isWhole else {
            throw ArchiveError(
                .refused,
                "all that transaction \(event.transactionID) removed at \(event.start) cannot be read from its commit",
                hint: "'pgarchive dump --before \(event.start)' takes what you need"
            )
        }
        func all(_ files: SurveyEvent.Files) -> SurveyEvent.Files {
            var files = files
            files.removed = commit.droppedRelations
            files.dropped = commit.droppedOIDs
            return files
        }
        var event = event
        switch event.kind {
        case .drop(let files): event.kind = .drop(all(files))
        case .truncate(let files): event.kind = .truncate(all(files))
        case .rewrite(let files): event.kind = .rewrite(all(files))
        default: break
        }
        return event
    }
}

extension SurveyEvent.Kind {
    /// What it lists may be only the beginning.
    var mayBeCut: Bool {
        switch self {
        case .drop(let files), .truncate(let files), .rewrite(let files):
            max(files.removed.count, files.dropped.count) >= SurveyState.listed
        default: false
        }
    }
}
