internal import PostgresLink

/// How long to wait before the next connection, by how the last one ended.
struct RetryPolicy {
    /// The first wait after a lost connection; the others are multiples of it.
    let shortestSeconds: Double
    private(set) var failures = 0

    init(shortestSeconds: Double = 0.25) {
        self.shortestSeconds = shortestSeconds
    }

    /// A connection did its work for a while: begin with short waits again.
    mutating func reset() { failures = 0 }

    /// Seconds to wait; nil when trying again makes no sense.
    ///
    /// `jitter` between 0 and 1 spreads receivers that lost the same server.
    mutating func delaySeconds(after outcome: ReplicationOutcome, jitter: Double) -> Double? {
        let base: Double
        switch outcome {
        case .stopped, .permanent: return nil
        // A server that shuts down waits for its walsenders; a new connection would only disturb it.
        case .serverShutDown: base = max(4, doubled(from: 4, upTo: 20))
        case .lost: base = doubled(from: 1, upTo: 40)
        // The former connection's walsender goes away by itself, at latest after wal_sender_timeout.
        case .slotInUse: base = doubled(from: 2, upTo: 20)
        case .authentication: base = doubled(from: 20, upTo: 120)
        case .gap, .diverged: base = 120
        // A long one has many segments, each with a connection; the upstream has other work, too.
        case .holeLost: return shortestSeconds * 0.4
        case .damaged: base = doubled(from: 2, upTo: 240)
        case .storage, .diskFull: base = doubled(from: 4, upTo: 120)
        }
        failures += 1
        return shortestSeconds * base * (1 + 0.25 * min(max(jitter, 0), 1))
    }

    private func doubled(from first: Double, upTo limit: Double) -> Double {
        min(limit, first * Double(1 << min(failures, 16)))
    }
}
