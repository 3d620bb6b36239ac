package import WALFormat

/// How a replication connection ended, by what there is to do about it.
package enum ReplicationOutcome: Equatable, Sendable {
    /// As asked, or the wanted end position was reached.
    case stopped
    /// The server shut down in order: try again, but not at once.
    case serverShutDown
    /// Lost, or not to be had at present: try again.
    case lost(String)
    /// The slot serves somebody else, or our own former connection.
    case slotInUse(String)
    /// The server refused the login.
    case authentication(String)
    /// The WAL which comes next is gone upstream.
    case gap(String)
    /// This segment is missing here and gone upstream, up to its end; with what is here beyond it can be gone on.
    case holeLost(SegmentName, end: LSN, String)
    case diverged(Divergence)
    /// What came does not pass its checks.
    case damaged(String)
    /// Nothing could be written or made durable here.
    case storage(String)
    /// There was no room for what came.
    case diskFull(String)
    /// Never right without somebody changing something: another cluster, a wrong slot.
    case permanent(String)

    package var reason: String? {
        switch self {
        case .stopped: nil
        case .serverShutDown: "the upstream shut down"
        case .lost(let text), .slotInUse(let text), .authentication(let text), .gap(let text), .damaged(let text),
            .storage(let text), .diskFull(let text), .permanent(let text):
            text
        case .holeLost(_, _, let text): text
        case .diverged(let divergence): divergence.description
        }
    }
}

/// What a server's error means for a receiver, decided by SQLSTATE and positions, never by text.
package enum ServerErrorClass {
    /// What to do about an error, by its SQLSTATE (nil when the connection broke without an answer), what was asked,
    /// where our archive ends and where the server's WAL does.
    package static func outcome(
        sqlState: String?,
        message: String,
        command: ReplicationCommand?,
        position: LSN?,
        flushed: LSN?
    ) -> ReplicationOutcome {
        switch sqlState {
        case nil: return .lost(message)
        case "55006": return .slotInUse(message)
        case "22023" where command.isReadSlot, "55000" where command.isReadSlot, "0A000" where command.isReadSlot:
            // A logical slot, or one of another kind than asked for.
            return .permanent(message)
        case "58P01" where command.isStart: return .gap(message)
        case let state? where state.hasPrefix("28"): return .authentication(message)
        case "XX000" where command.isStart:
            if let position, let flushed, position > flushed {
                return .diverged(.aheadOfServer(server: flushed, ours: position))
            }
            return .lost(message)
        default: return .lost(message)
        }
    }
}

extension ReplicationCommand? {
    fileprivate var isStart: Bool {
        if case .startReplication = self { true } else { false }
    }

    fileprivate var isReadSlot: Bool {
        if case .readSlot = self { true } else { false }
    }
}
