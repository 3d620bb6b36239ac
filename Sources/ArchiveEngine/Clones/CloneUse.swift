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

    /// Sessions of clients that a running clone has counted, without the one that asks; nil when it does not answer.
    ///
    /// It is a connection: one that is asked often is not left in peace.
    static func sessions(_ container: Container, _ record: CloneRecord) -> Int64? {
        guard let connection = try? LocalLink.connect(container: container, port: record.port) else { return nil }
        defer { connection.close() }
        let sum = try? connection.query(
            "SELECT sum(sessions)::bigint FROM pg_catalog.pg_stat_database",
            timeoutSeconds: 5
        )
        return (sum?.first?.first ?? nil).flatMap { Int64($0) }
    }
}
