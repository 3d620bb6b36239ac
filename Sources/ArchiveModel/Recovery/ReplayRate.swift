/// How long recovery takes, learnt from earlier ones in the same container.
package struct ReplayRate: Codable, Hashable, Sendable {
    /// Before anything was measured: 150 MB of WAL a second, and what a server needs to start and be promoted.
    package static let assumed = ReplayRate(bytesPerSecond: 150 * 1_048_576, startSeconds: 0.5, recoveries: 0)

    package var bytesPerSecond: Double
    package var startSeconds: Double
    /// How many were measured.
    package var recoveries: Int

    /// Smaller ones tell of the start, larger ones of replay.
    private static let large = 32.0 * 1_048_576

    package init(bytesPerSecond: Double, startSeconds: Double, recoveries: Int) {
        self.bytesPerSecond = bytesPerSecond
        self.startSeconds = startSeconds
        self.recoveries = recoveries
    }

    package func seconds(replaying bytes: UInt64) -> Double {
        startSeconds + Double(bytes) / max(bytesPerSecond, 1)
    }

    /// Takes a recovery into account: what comes last counts most, one outlier does not decide.
    package func learning(bytes: UInt64, seconds: Double) -> ReplayRate {
        guard seconds > 0, seconds < 1e7 else { return self }
        var next = self
        let bytes = Double(bytes)
        if bytes < Self.large {
            let start = max(seconds - bytes / max(bytesPerSecond, 1), seconds / 4)
            next.startSeconds = recoveries == 0 ? start : (startSeconds + start) / 2
        } else {
            let rate = bytes / max(seconds - startSeconds, seconds / 4)
            next.bytesPerSecond = recoveries == 0 ? rate : (bytesPerSecond + rate) / 2
        }
        next.recoveries = min(recoveries, 1_000_000) + 1
        return next
    }
}
