package import ArchiveModel
import Platform
package import PostgresLink
package import WALFormat

/// What the standby is doing, asked of the server itself and of its control file.
package struct StandbyProbe: Sendable {
    package let replayed: LSN
    /// The newest commit or abort that it replayed.
    package let lastTransactionTime: PostgresTime?
    package let isPaused: Bool
    package let control: ControlFile

    package init(container: Container) throws {
        let connection = try LocalLink.connect(container: container, port: StandbyConfiguration.port)
        defer { connection.close() }
        try self.init(container: container, connection: connection)
    }

    package init(container: Container, connection: SQLConnection) throws {
        let row =
            try connection.query(
                """
                SELECT pg_last_wal_replay_lsn(),
                       (extract(epoch FROM pg_last_xact_replay_timestamp()) * 1000000)::bigint,
                       pg_get_wal_replay_pause_state() <> 'not paused'
                """
            ).first ?? []
        guard row.count == 3, let text = row[0], let replayed = LSN(text) else {
            throw ArchiveError(.failed, "the standby is not in recovery", hint: "'pgarchive standby log' tells why")
        }
        self.replayed = replayed
        self.lastTransactionTime = row[1].flatMap { Int64($0) }.map { PostgresTime(unixMicroseconds: $0) }
        self.isPaused = row[2] == "t"
        self.control = try ControlFileReader.read(container.paths.standbyTree)
    }
}

/// Reads `global/pg_control` of a running or stopped server.
package enum ControlFileReader {
    package static func read(_ tree: ServerTree) throws -> ControlFile {
        try read(tree.controlFile, hint: "the data directory is damaged; use another snapshot")
    }

    /// Of a data directory outside of the container; nil where it has none.
    static func read(outside directory: String) throws -> ControlFile? {
        let path = "\(directory)/global/pg_control"
        guard FileTree.exists(path) else { return nil }
        return try read(path, hint: "the data directory is damaged, or of another major version")
    }

    /// PostgreSQL writes the file in one piece of 512 bytes, but a reader may still see a torn one: try again.
    private static func read(_ path: String, hint: String) throws -> ControlFile {
        var last: (any Error)?
        for _ in 0..<5 {
            do {
                let bytes = try FileTree.read(path, limit: 8192)
                return try bytes.withUnsafeBytes { try ControlFile($0) }
            } catch let error as FormatError {
                last = error
            }
        }
        throw ArchiveError(.failed, "'\(path)' cannot be read: \(last.map { "\($0)" } ?? "")", hint: hint)
    }
}

extension ControlFile {
    /// Refuses the data directory of another cluster.
    func requireUpstream(of container: Container, in directory: String) throws {
        guard systemIdentifier != container.identity.systemIdentifier else { return }
        throw ArchiveError(
            .refused,
            "'\(directory)' is another cluster: its system identifier is \(systemIdentifier), the container's is "
                + "\(container.identity.systemIdentifier)",
            hint: "give the data directory of this container's upstream"
        )
    }
}

extension HotStandbyParameters {
    /// The values that upstream had, as far as the server has replayed.
    package init(_ control: ControlFile) {
        self.init(
            maxConnections: control.maxConnections,
            maxWorkerProcesses: control.maxWorkerProcesses,
            maxWALSenders: control.maxWALSenders,
            maxPreparedTransactions: control.maxPreparedTransactions,
            maxLocksPerTransaction: control.maxLocksPerTransaction
        )
    }
}
