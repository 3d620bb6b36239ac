package import ArchiveModel
import Glibc
import Platform
import PostgresLink
package import WALFormat

/// Whether a clone is used, and when it was last.
package enum CloneUse {
    /// Notes that it is used now; what cannot be noted is not worth a failure.
    package static func note(_ container: Container, _ name: String) {
        let path = container.paths.clone(name).used
        guard (try? Descriptor.open(path, O_WRONLY | O_CREAT, mode: 0o600)) != nil else { return }
        utimensat(AT_FDCWD, path, nil, 0)
    }

    /// Nil when it was never used.
    package static func last(_ container: Container, _ record: CloneRecord) -> PostgresTime? {
        guard let status = try? FileTree.status(container.paths.clone(record.name).used) else { return nil }
        return max(record.createdAt, PostgresTime(unixMicroseconds: status.modified))
    }

    /// What a running clone says of its clients.
    struct Activity: Sendable {
        let clients: Int
        /// Sessions of clients since its start or crash, this one left out.
        let sessions: Int64
    }

    /// Nil when it does not answer.
    static func activity(_ container: Container, _ record: CloneRecord) -> Activity? {
        guard let connection = try? LocalLink.connect(container: container, port: record.port) else { return nil }
        defer { connection.close() }
        let row = try? connection.query(
            """
            SELECT count(*) FILTER (WHERE backend_type = 'client backend' AND application_name <> 'pgarchive'),
              (SELECT sum(sessions)::bigint FROM pg_catalog.pg_stat_database)
            FROM pg_catalog.pg_stat_activity WHERE pid <> pg_catalog.pg_backend_pid()
            """,
            timeoutSeconds: 5
        ).first
        guard let row, row.count == 2, let clients = row[0].flatMap({ Int($0) }) else { return nil }
        return Activity(clients: clients, sessions: row[1].flatMap { Int64($0) } ?? 0)
    }
}
