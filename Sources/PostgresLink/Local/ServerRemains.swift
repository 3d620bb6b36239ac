internal import Platform

extension PostgresServer {
    /// Makes a data directory fit for a start after its last server died.
    package static func clearRemains(
        dataDirectory: String,
        socketDirectory: String? = nil,
        port: Int? = nil,
        timeoutSeconds: Double = 30
    ) throws(LinkError) {
    }
}
