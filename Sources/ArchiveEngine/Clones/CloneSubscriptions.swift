import PostgresLink

/// The subscriptions of a clone: they name production's publisher, and there the slot of the live subscription.
///
/// No worker applies them, but `DROP SUBSCRIPTION` connects by itself and drops that slot, and the slots of tables that
/// are still being copied.
enum CloneSubscriptions {
    /// Takes the way to the publisher out of all of them, whatever their database.
    static func detach(_ connection: SQLConnection) throws {
        try connection.execute(
            """
            BEGIN READ WRITE;
            UPDATE pg_catalog.pg_subscription
            SET subenabled = false, subslotname = NULL, subconninfo = $$host='/detached by pgarchive'$$;
            COMMIT
            """
        )
    }

    static func exist(_ connection: SQLConnection) throws -> Bool {
        try connection.value("SELECT EXISTS (SELECT FROM pg_catalog.pg_subscription)") == "t"
    }
}
