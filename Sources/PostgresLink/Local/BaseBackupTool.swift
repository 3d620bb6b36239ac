/// Runs the right major's `pg_basebackup`.
package struct BaseBackupTool: Sendable {
    package enum Checkpoint: String, Sendable {
        case spread
        case fast
    }

    package enum Phase: Sendable, Hashable {
        case waitingForCheckpoint
        case copying
        /// All is copied, and being made durable.
        case finishing
    }

    package struct Progress: Sendable, Hashable {
        package let phase: Phase
        package let bytesDone: UInt64
        /// The server's estimate, 0 before it is known.
        package let bytesTotal: UInt64
    }

    package var installation: PostgresInstallation
    package var upstream: ConnectionString
    package var directory: String
    package var checkpoint: Checkpoint
    /// From the upstream's directory of a tablespace to ours.
    package var tablespaces: [(from: String, to: String)]

    package init(
        installation: PostgresInstallation,
        upstream: ConnectionString,
        directory: String,
        checkpoint: Checkpoint = .spread,
        tablespaces: [(from: String, to: String)] = []
    ) {
        self.installation = installation
        self.upstream = upstream
        self.directory = directory
        self.checkpoint = checkpoint
        self.tablespaces = tablespaces
    }

    /// Takes the backup.
    ///
    /// - Parameters:
    ///   - interrupt: a descriptor which, once readable, ends it: `cancelled`, with the tool gone.
    ///   - progress: called about once a second.
    package func run(interrupt: Int32 = -1, progress: (Progress) -> Void) throws(LinkError) {
        throw LinkError(.local, "not there yet")
    }
}
