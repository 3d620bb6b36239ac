import Glibc

package enum SystemClock {
    /// Wall clock, microseconds since 1970 UTC; may step.
    package static func now() -> Int64 {
        var time = timespec()
        clock_gettime(CLOCK_REALTIME, &time)
        return Int64(time.tv_sec) &* 1_000_000 &+ Int64(time.tv_nsec) / 1000
    }

    /// Seconds since some moment before the start of the process; never steps.
    package static func monotonicSeconds() -> Double {
        var time = timespec()
        clock_gettime(CLOCK_MONOTONIC, &time)
        return Double(time.tv_sec) + Double(time.tv_nsec) / 1e9
    }

    /// Holds this thread.
    package static func sleep(seconds: Double) {
        let end = monotonicSeconds() + seconds
        while true {
            let rest = end - monotonicSeconds()
            guard rest > 0 else { return }
            var time = timespec(tv_sec: Int(rest), tv_nsec: Int((rest - rest.rounded(.down)) * 1e9))
            nanosleep(&time, nil)
        }
    }
}

/// A moment up to which something is waited for.
package struct Deadline: Sendable {
    private let end: Double?

    /// - Parameter seconds: from now; nil means for ever.
    package init(seconds: Double?) {
        end = seconds.map { SystemClock.monotonicSeconds() + $0 }
    }

    /// Nil when there is no limit.
    package var secondsLeft: Double? { end.map { max(0, $0 - SystemClock.monotonicSeconds()) } }

    package var hasPassed: Bool { secondsLeft.map { $0 <= 0 } ?? false }

    /// For `poll`: rounded up, -1 without a limit.
    package var millisecondsLeft: Int32 {
        guard let secondsLeft else { return -1 }
        return Int32(min((secondsLeft * 1000).rounded(.up), 2_000_000_000))
    }
}
