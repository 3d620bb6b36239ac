/// How long to wait before a part that died is started again.
///
/// Pure.
///
/// A part that ran well for a while starts again at once; one that keeps dying is tried ever more slowly, and for ever.
package struct RestartPolicy: Sendable {
    package static let firstDelaySeconds = 0.2
    package static let longestDelaySeconds = 30.0
    /// After this long in good health a death is a first one again.
    package static let healthySeconds = 30.0

    package private(set) var failures = 0

    package init() {}

    /// The delay before the next start, after a run of `ranSeconds` (0 when it did not start at all).
    package mutating func died(ranSeconds: Double) -> Double {
        if ranSeconds >= Self.healthySeconds { failures = 0 }
        failures += 1
        guard failures > 1 else { return ranSeconds > 0 ? 0 : Self.firstDelaySeconds }
        var delay = Self.firstDelaySeconds
        for _ in 1..<min(failures, 10) { delay *= 2 }
        return min(delay, Self.longestDelaySeconds)
    }

    package mutating func reset() {
        failures = 0
    }
}
