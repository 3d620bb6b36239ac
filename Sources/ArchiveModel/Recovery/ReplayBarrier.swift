package import WALFormat

/// A record that is not replayed on this host: a target beyond it is refused.
package struct ReplayBarrier: Hashable, Sendable {
    package enum Kind: Hashable, Sendable {
        /// A server would leave its directory for the tablespace's.
        case tablespace(path: String)
        /// From here on the WAL lacks what bulk work wrote past it: PostgreSQL refuses to recover across it.
        case minimalWAL
    }

    package var start: LSN
    package var kind: Kind

    package init(start: LSN, kind: Kind) {
        self.start = start
        self.kind = kind
    }

    init?(_ event: WALEvent?, at start: LSN) {
        switch event {
        case .tablespaceCreate(_, let path)? where !path.isEmpty: kind = .tablespace(path: path)
        case .parameterChange(let change)? where change.walLevel == .minimal: kind = .minimalWAL
        default: return nil
        }
        self.start = start
    }

    package init?(_ event: SurveyEvent) {
        switch event.kind {
        case .tablespaceCreate(_, let path) where !path.isEmpty: kind = .tablespace(path: path)
        case .parameterChange(let change) where change.walLevel == .minimal: kind = .minimalWAL
        default: return nil
        }
        start = event.start
    }

    /// The kinds of events that may be one.
    package static let events: Set<String> = ["tablespace-create", "parameter-change"]

    /// What happens there.
    package var what: String {
        switch kind {
        case .tablespace(let path):
            "a tablespace is created at '\(path)'; replaying that would touch this directory on this host"
        case .minimalWAL:
            "the upstream went over to wal_level = minimal, and its WAL no longer has all changes"
        }
    }
}
