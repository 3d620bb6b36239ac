package import WALFormat

/// What a user asks a clone for.
package enum Target: Hashable, Sendable {
    /// The state at this instant: everything that committed up to and including it.
    case time(PostgresTime)
    /// The state after the last record that ends at or before this position.
    case lsn(LSN)
    /// The durable end of the archive.
    case latest
    /// The moment at which the snapshot was taken.
    case snapshotItself
}
