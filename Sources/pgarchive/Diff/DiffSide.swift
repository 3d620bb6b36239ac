import ArchiveEngine
import ArchiveModel
import PostgresLink

/// One side of a comparison: a server, and what to call it.
struct DiffSide {
    let title: String
    private let target: (String?) throws -> ConnectionString
    let close: () -> Void

    static func look(_ look: Look, _ requested: String, in container: Container) -> DiffSide {
        let time = look.record.lastTransactionTime.map { ", last commit \(HumanText.instant($0))" } ?? ""
        return DiffSide(
            title: "\(requested) (WAL \(look.record.stop)\(time))",
            target: { try local(container, look.port, $0) },
            close: look.close
        )
    }

    static func clone(_ name: String, in container: Container) throws -> DiffSide {
        let record = try CloneCatalog(container).find(name)
        guard CloneServer(container, record).isRunning else {
            throw ArchiveError(
                .conflict,
                "clone '\(name)' is not running",
                hint: "'pgarchive clone start \(name)' starts it"
            )
        }
        return DiffSide(
            title: "clone \(name), as it is now",
            target: { try local(container, record.port, $0) },
            close: {}
        )
    }

    static func upstream(of container: Container) throws -> DiffSide {
        let upstream = try ConnectionString(container.settings.upstream)
        return DiffSide(title: "the upstream, as it is now", target: { upstream.naming($0) }, close: {})
    }

    static func server(_ text: String) throws -> DiffSide {
        let given = try ConnectionString(text)
        // Where none is named the user's own may not be there; which databases there are every one knows.
        let server = given.defaulting(["dbname": "postgres"])
        return DiffSide(title: "\(given.shortened), as it is now", target: { server.naming($0) }, close: {})
    }

    private static func local(_ container: Container, _ port: Int, _ database: String?) throws -> ConnectionString {
        try LocalLink.connectionString(container: container, port: port, database: database ?? "template1")
    }

    func connect(_ database: String?) throws -> SQLConnection {
        try SQLConnection(try target(database), applicationName: "pgarchive diff")
    }

    /// Those that can be connected to, but templates.
    func databases() throws -> [String] {
        let connection = try connect(nil)
        defer { connection.close() }
        return try connection.query(
            "SELECT datname FROM pg_catalog.pg_database WHERE datallowconn AND NOT datistemplate ORDER BY datname"
        ).compactMap { $0.first ?? nil }
    }
}

extension ConnectionString {
    fileprivate func naming(_ database: String?) -> ConnectionString {
        database.map { merging(["dbname": $0]) } ?? self
    }
}
