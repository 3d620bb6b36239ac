import ArchiveModel
package import PostgresLink

/// Connections to the container's own servers, over their Unix sockets.
package enum LocalLink {
    /// Databases that are tried in turn; a cluster may lack the first.
    static let databases = ["postgres", "template1"]

    package static func connectionString(
        container: Container,
        socketDirectory: String? = nil,
        port: Int,
        database: String
    ) throws(LinkError) -> ConnectionString {
        try ConnectionString("").merging([
            "host": socketDirectory ?? container.paths.socketDirectory,
            "port": String(port),
            "user": container.identity.superuser,
            "dbname": database,
            "sslmode": "disable",
            "gssencmode": "disable",
        ])
    }

    package static func connect(
        container: Container,
        socketDirectory: String? = nil,
        port: Int,
        timeoutSeconds: Int = 5
    ) throws(LinkError) -> SQLConnection {
        var last: LinkError?
        for database in databases {
            do throws(LinkError) {
                return try SQLConnection(
                    try connectionString(
                        container: container,
                        socketDirectory: socketDirectory,
                        port: port,
                        database: database
                    ),
                    applicationName: "pgarchive",
                    timeoutSeconds: timeoutSeconds
                )
            } catch {
                // 3D000: the database does not exist
                guard error.sqlState == "3D000" else { throw error }
                last = error
            }
        }
        throw last ?? LinkError(.unreachable, "no database to connect to")
    }
}
