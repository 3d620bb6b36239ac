import PostgresLink
import WALFormat

/// The container's slot on its upstream, over a replication connection of its own.
enum UpstreamSlots {
    /// Why a slot is taken for one of ours.
    enum Claim: Hashable, Sendable {
        /// It belongs to a container, or an init has seen it made.
        case made
        /// An init was about to ask for it when the upstream's WAL ended here, and died before it knew more.
        case asked(at: LSN)
    }

    /// A receiver that has just ended, or whose host went away, keeps its slot busy until the upstream notices: within
    /// wal_sender_timeout, a minute unless set otherwise.
    private static let dropSeconds = 70.0

    /// Makes the slot; it keeps WAL from this moment on.
    ///
    /// - Parameter asking: called just before, with the end of the upstream's WAL.
    static func create(_ upstream: ConnectionString, _ slot: SlotName, asking: (LSN) throws -> Void) throws {
        let connection = try connect(upstream, for: "init")
        defer { connection.close() }
        try asking(try ReplicationSlot.identify(connection).flushed)
        _ = try ReplicationSlot.create(connection, slot)
    }

    enum Dropping {
        case dropped
        /// There is none of ours.
        case absent
        /// Nothing was done.
        case otherCluster
    }

    /// Drops the slot, if there is one of ours.
    ///
    /// - Parameter cluster: its system identifier, when it is to be made sure of.
    @discardableResult
    static func drop(
        _ upstream: ConnectionString,
        _ slot: SlotName,
        _ claim: Claim = .made,
        of cluster: UInt64? = nil
    ) throws(LinkError) -> Dropping {
        let connection = try connect(upstream, for: "purge")
        defer { connection.close() }
        if let cluster, try ReplicationSlot.identify(connection).systemIdentifier != cluster { return .otherCluster }
        switch claim {
        case .made:
            return try ReplicationSlot.drop(connection, slot, waitSeconds: dropSeconds) ? .dropped : .absent
        case .asked(let position):
            guard try isUnused(connection, slot, since: position) else { return .absent }
            do throws(LinkError) {
                return try ReplicationSlot.drop(connection, slot) ? .dropped : .absent
            } catch {
                // Ours was never streamed from.
                guard error.sqlState == SQLState.objectInUse else { throw error }
                return .absent
            }
        }
    }

    /// Whether the slot is as it was made before `position`: one that was made later, or was used, begins behind it.
    private static func isUnused(
        _ connection: SQLConnection,
        _ slot: SlotName,
        since position: LSN
    ) throws(LinkError) -> Bool {
        do throws(LinkError) {
            guard case .physical(let restart?, _) = try ReplicationSlot.read(connection, slot) else { return false }
            return restart <= position
        } catch {
            // A logical one.
            if error.kind == .server { return false }
            throw error
        }
    }

    private static func connect(_ upstream: ConnectionString, for work: String) throws(LinkError) -> SQLConnection {
        try SQLConnection(
            upstream.forReplication,
            applicationName: "pgarchive \(work)",
            statementTimeoutSeconds: 30
        )
    }
}
