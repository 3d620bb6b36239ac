internal import PostgresLink

/// How long to wait before the next connection, by how the last one ended.
struct RetryPolicy {
    private(set) var failures = 0

    /// A connection did its work for a while: begin with short waits again.
    mutating func reset() { failures = 0 }

    /// Seconds to wait; nil when trying again makes no sense.
    ///
    /// `jitter` between 0 and 1 spreads receivers that lost the same server.
    mutating func delaySeconds(after outcome: ReplicationOutcome, jitter: Double) -> Double? {
        let base: Double
        switch outcome {
        case .stopped, .permanent: return nil
        case .serverShutDown: base = max(1, doubled(from: 0.5, upTo: 5))
        case .lost: base = doubled(from: 0.25, upTo: 10)
        // The former connection's walsender goes away by itself, at latest after wal_sender_timeout.
        case .slotInUse: base = doubled(from: 0.5, upTo: 5)
        case .authentication: base = doubled(from: 5, upTo: 30)
        case .gap, .diverged: base = 30
        case .damaged: base = doubled(from: 0.5, upTo: 60)
        case .storage: base = doubled(from: 1, upTo: 30)
        }
        failures += 1
        return base * (1 + 0.25 * min(max(jitter, 0), 1))
    }

    private func doubled(from first: Double, upTo limit: Double) -> Double {
        min(limit, first * Double(1 << min(failures, 16)))
    }
}
