package import WALFormat

/// Physical replication slots, over a connection made with `ConnectionString.forReplication`.
package enum ReplicationSlot {
    /// Creates a slot that keeps WAL from now on, and says from where.
    ///
    /// - Throws: `LinkError` with SQLSTATE 42710 (`SQLState.duplicateObject`) when the name is taken.
    @discardableResult
    package static func create(_ connection: SQLConnection, _ name: SlotName) throws(LinkError) -> LSN {
        try connection.execute(ReplicationCommand.createSlot(name).text)
        guard case .physical(let restart?, _) = try read(connection, name) else {
            throw LinkError(.protocolViolation, "the new replication slot \"\(name)\" keeps no WAL")
        }
        return restart
    }

    /// Drops a slot; false when there was none.
    ///
    /// - Parameter waitSeconds: how long to wait for whoever uses it; without, 55006 (`SQLState.objectInUse`) at once.
    @discardableResult
    package static func drop(
        _ connection: SQLConnection,
        _ name: SlotName,
        waitSeconds: Double? = nil
    ) throws(LinkError) -> Bool {
        do throws(LinkError) {
            let command = waitSeconds == nil ? ReplicationCommand.dropSlot(name) : .dropSlotWhenFree(name)
            try connection.execute(command.text, timeoutSeconds: waitSeconds)
            return true
        } catch {
            if error.sqlState == SQLState.undefinedObject { return false }
            throw error
        }
    }

    /// What the slot keeps.
    ///
    /// - Throws: `LinkError` for a logical slot too, with the server's SQLSTATE.
    package static func read(_ connection: SQLConnection, _ name: SlotName) throws(LinkError) -> SlotState {
        let rows = try connection.query(ReplicationCommand.readSlot(name).text)
        guard let row = rows.first, let state = SlotState(row: row) else {
            throw LinkError(.protocolViolation, "the replication slot \"\(name)\" is not a physical one")
        }
        return state
    }

    /// The server's identity and the end of its WAL.
    package static func identify(_ connection: SQLConnection) throws(LinkError) -> ServerIdentity {
        let rows = try connection.query(ReplicationCommand.identifySystem.text)
        guard let identity = rows.first.flatMap({ ServerIdentity(row: $0) }) else {
            throw LinkError(.protocolViolation, "the server's answer to IDENTIFY_SYSTEM cannot be read")
        }
        return identity
    }
}
