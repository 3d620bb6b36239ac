/// How WAL comes into a container.
package enum WALIngest: String, Codable, CaseIterable, Sendable {
    /// The receiver fetches it over the replication protocol.
    case stream
    /// The upstream's archive_command brings it, a segment at a time.
    case push
    /// Both: one copy is kept, and the two deliveries are compared.
    case both

    package var streams: Bool { self != .push }
    package var isPushed: Bool { self != .stream }
}
