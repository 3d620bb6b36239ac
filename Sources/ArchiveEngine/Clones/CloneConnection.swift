package import ArchiveModel
import Foundation
import Platform
import PostgresLink

/// How a program connects to a clone.
package struct CloneConnection: Codable, Hashable, Sendable {
    package var clone: String
    /// A name, or the directory of the socket.
    package var host: String
    package var port: Int
    package var user: String
    package var database: String
    package var sslmode: String
    /// The file of the clone's certificate, for clients of one that is reachable.
    package var sslrootcert: String?
    package var uri: String

    /// - Parameters:
    ///   - role: nil means the upstream's superuser.
    ///   - usesNetwork: by a port, with a password; else over the socket, as the container's owner.
    package init(_ container: Container, _ record: CloneRecord, role: String?, database: String?, usesNetwork: Bool) {
        clone = record.name
        port = record.port
        user = role ?? container.identity.superuser
        self.database = database ?? "postgres"
        if usesNetwork {
            host = record.isReachable ? ProcessInfo.processInfo.hostName : "localhost"
            sslmode = record.isReachable ? "verify-full" : "disable"
            sslrootcert = record.isReachable ? container.paths.clone(record.name).certificate : nil
        } else {
            host = container.paths.socketDirectory
            sslmode = "disable"
            sslrootcert = nil
        }
        uri = ""
        uri = Self.uri(self)
    }

    /// As libpq's environment variables, in a fixed order.
    package var environment: [(name: String, value: String)] {
        [
            ("PGHOST", host), ("PGPORT", String(port)), ("PGUSER", user), ("PGDATABASE", database),
            ("PGSSLMODE", sslmode),
        ]
            + (sslrootcert.map { [("PGSSLROOTCERT", $0)] } ?? [])
    }

    /// Lines that a shell evaluates.
    package var exports: String {
        environment.map { "export \($0.name)=\(ShellWord.quoted($0.value))\n" }.joined()
    }

    private static func uri(_ connection: CloneConnection) -> String {
        let isSocket = connection.host.hasPrefix("/")
        let place = isSocket ? "" : "\(connection.host):\(connection.port)"
        var parameters = isSocket ? [("host", connection.host), ("port", String(connection.port))] : []
        parameters.append(("sslmode", connection.sslmode))
        if let certificate = connection.sslrootcert { parameters.append(("sslrootcert", certificate)) }
        let query = parameters.map { "\($0.0)=\(escaped($0.1, also: "/"))" }.joined(separator: "&")
        return "postgresql://\(escaped(connection.user))@\(place)/\(escaped(connection.database))?\(query)"
    }

    private static func escaped(_ text: String, also others: String = "") -> String {
        let plain = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-._~" + others
        return text.addingPercentEncoding(withAllowedCharacters: CharacterSet(charactersIn: plain)) ?? text
    }
}
