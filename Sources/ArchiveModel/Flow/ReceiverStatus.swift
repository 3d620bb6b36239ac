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
    /// The end of what has come, some of which may wait in memory to be written.
    package var received: LSN
    /// The end of the last complete record that is fsynced here: what upstream was told.
    package var durable: LSN
    /// The largest end of upstream's WAL that was heard.
    package var upstreamEnd: LSN
    /// When upstream was last heard, by our clock.
    package var heardAt: PostgresTime?
    /// Up to this time of upstream's clock nothing was committed beyond `heartbeatEnd`.
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

extension ReceiverStatus {
    /// It writes its status every five seconds, also when nothing happens.
    package static let longestSilenceSeconds = 30.0
    /// It asks the upstream for a sign of life, and gives a connection up after a minute without one.
    package static let longestUpstreamSilenceSeconds = 120.0

    /// What a receiver is worth that holds its lock: whether it can be believed to work, in a word, with a reason
    /// where it stands still.
    package struct Standing: Hashable, Sendable {
        package var isAlive: Bool
        package var word: String
        package var reason: String?
    }

    /// - Parameters:
    ///   - status: what was written last, perhaps by an earlier process.
    ///   - holder: the process that holds the lock now; 0 when it is not known.
    package static func standing(_ status: ReceiverStatus?, holder: Int32, now: PostgresTime) -> Standing {
        guard let status, holder == 0 || status.processID == holder else {
            return Standing(isAlive: true, word: "starting", reason: nil)
        }
        let silence = now.seconds(since: status.updatedAt)
        if silence > longestSilenceSeconds {
            return Standing(
                isAlive: false,
                word: "silent",
                reason: "process \(status.processID) has said nothing for \(Int(silence)) s: it is stopped, or waits "
                    + "for a disk that does not answer"
            )
        }
        if let heardAt = status.heardAt, status.state == .streaming || status.state == .catchingUp {
            let silence = now.seconds(since: heardAt)
            if silence > longestUpstreamSilenceSeconds {
                return Standing(
                    isAlive: true,
                    word: "silent",
                    reason: "nothing has come from the upstream for \(Int(silence)) s"
                )
            }
        }
        return Standing(isAlive: true, word: status.state.words, reason: status.reason)
    }
}

extension ReceiverStatus.State {
    /// For people.
    package var words: String {
        switch self {
        case .connecting: "connecting"
        case .catchingUp: "catching up"
        case .streaming: "streaming"
        case .retrying: "retrying"
        case .diskFull: "disk full"
        case .diverged: "diverged"
        case .gap: "gap"
        case .stopped: "stopped"
        }
    }
}
