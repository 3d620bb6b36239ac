/// A query to any local server, by psql.
package enum ServerQuery {
    package static func run(
        _ text: String,
        host: String,
        port: Int,
        bin: String,
        database: String = "postgres",
        user: String = "postgres"
    ) throws -> String {
        // In a connection string, quotes and backslashes are escaped by a backslash.
        let quoted = host.replacing("\\", with: "\\\\").replacing("'", with: "\\'")
        let place = "host='\(quoted)' port=\(port) user=\(user) dbname=\(database)"
        return try TestCommand("\(bin)/psql", ["-XAtq", "-v", "ON_ERROR_STOP=1", "-d", place, "-f", "-"])
            .succeed(input: text).text
    }
}
