import PostgresLink
import WALFormat

/// The container's slot on its upstream, over a replication connection of its own.
enum UpstreamSlots {
    /// Makes the slot; it keeps WAL from this moment on.
    static func create(_ upstream: ConnectionString, _ slot: SlotName) throws(LinkError) {
        let connection = try SQLConnection(upstream.forReplication, applicationName: "pgarchive init")
        defer { connection.close() }
        _ = try ReplicationSlot.create(connection, slot)
    }

    /// Drops the slot, if there is one.
    static func drop(_ upstream: ConnectionString, _ slot: SlotName) throws(LinkError) {
        let connection = try SQLConnection(upstream.forReplication, applicationName: "pgarchive purge")
        defer { connection.close() }
        _ = try ReplicationSlot.drop(connection, slot)
    }
}
