package import WALFormat

/// What the receiver says of itself, for everybody else to read (`run/receiver.json`).
package struct ReceiverStatus: Codable, Hashable, Sendable {
    package enum State: String, Codable, Sendable {
        case connecting
        case catchingUp
        case streaming
        /// The connection was lost or refused; tried again with backoff.
        case retrying
        /// No room to write; goes on by itself when there is.
        case diskFull
        /// Upstream's history and ours have parted; nothing is overwritten.
        case diverged
        /// Upstream no longer has the WAL that comes next.
        case gap
        case stopped
    }

    package var state: State
    /// Why it stands still; nil while it moves.
    package var reason: String?
    package var processID: Int32
    package var timeline: TimelineID
    /// The end of what has been written here.
    package var received: LSN
    /// The end of the last complete record that is fsynced here: what upstream was told.
    package var durable: LSN
    /// Upstream's end of WAL as last heard.
    package var upstreamEnd: LSN
    /// When upstream was last heard, by our clock.
    package var heardAt: PostgresTime?
    /// Upstream's clock in a message which said that its WAL ended at `heartbeatEnd`.
    package var heartbeatClock: PostgresTime?
    package var heartbeatEnd: LSN?
    package var updatedAt: PostgresTime

    package init(processID: Int32, updatedAt: PostgresTime) {
        self.state = .connecting
        self.processID = processID
        self.timeline = TimelineID(0)
        self.received = .invalid
        self.durable = .invalid
        self.upstreamEnd = .invalid
        self.updatedAt = updatedAt
    }
}
