/// What went wrong between pgarchive and a PostgreSQL server, in terms that a caller can decide by.
package struct LinkError: Error, Sendable, CustomStringConvertible {
    package enum Kind: Sendable, Hashable {
        /// No connection, a lost one, or a server that takes none at present (starting up, too many clients).
        case unreachable
        /// The server refused the login (SQLSTATE class 28), or wants a password and none was given.
        case authentication
        /// The server's answer was an error; `sqlState` says which.
        case server
        /// No answer within the time allowed.
        case timedOut
        /// Given up because the caller asked for it.
        case cancelled
        /// The peer sent what the protocol does not allow here.
        case protocolViolation
        /// A connection string that is none, or one with a keyword that is not taken.
        case invalidConnectionString
        /// Something on this machine: a program that is not installed, a server that does not start.
        case local
    }

    package let kind: Kind
    /// The server's five-character code, where it sent one.
    package let sqlState: String?
    package let message: String
    package let detail: String?
    package let hint: String?
    /// Lines that explain it further: the server's log.
    package let log: [String]

    package init(
        _ kind: Kind,
        _ message: String,
        sqlState: String? = nil,
        detail: String? = nil,
        hint: String? = nil,
        log: [String] = []
    ) {
        self.kind = kind
        self.sqlState = sqlState
        self.message = message
        self.detail = detail
        self.hint = hint
        self.log = log
    }

    package var description: String {
        guard let detail else { return message }
        return "\(message) (\(detail))"
    }

    /// The kind which a SQLSTATE stands for (PostgreSQL: errcodes.txt, by class).
    package static func kind(sqlState: String) -> Kind {
        switch sqlState {
        case "57P01", "57P02", "57P03", "57P05", "53300": .unreachable
        case let state where state.hasPrefix("28"): .authentication
        case let state where state.hasPrefix("08"): state == "08P01" ? .protocolViolation : .unreachable
        default: .server
        }
    }
}
