package import WALFormat

/// What a user asks a clone or a restore for.
///
/// Times, positions and transactions mean what PostgreSQL's `recovery_target_…` mean, inclusive or not.
package enum Target: Hashable, Sendable {
    /// Everything before the first commit or abort that is later than this instant; exclusive: not earlier than it.
    case time(PostgresTime, inclusive: Bool = true)
    /// Everything up to and including the first record that begins at or after this position; exclusive: without it.
    case lsn(LSN, inclusive: Bool = true)
    /// The state just before the event whose record begins here, with the files that its transaction removed.
    case before(LSN)
    /// Everything up to and including the end of this transaction, commit or abort; exclusive: without it.
    case transaction(UInt32, inclusive: Bool = true)
    /// Everything up to and including the first restore point of this name.
    case restorePoint(String)
    /// The durable end of the archive.
    case latest
    /// The moment at which the snapshot was taken.
    case snapshotItself
}
