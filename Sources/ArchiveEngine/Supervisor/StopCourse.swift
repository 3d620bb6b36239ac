import PostgresLink

/// When a process that was asked to end is asked again.
///
/// Pure.
struct StopCourse: Sendable {
    static let repeatSeconds = 10.0
    /// After this long a process that should have ended is said not to stop; it is asked all the same.
    static let patienceSeconds = 100.0

    let mode: RunningServer.StopMode
    let beganSeconds: Double
    private var askedSeconds: Double?

    init(_ mode: RunningServer.StopMode, now: Double) {
        self.mode = mode
        self.beganSeconds = now
    }

    func waitedSeconds(now: Double) -> Double { now - beganSeconds }

    /// Whether it is to be asked now; the caller does so.
    mutating func asks(now: Double) -> Bool {
        if let askedSeconds, now - askedSeconds < Self.repeatSeconds { return false }
        askedSeconds = now
        return true
    }

    /// Clients may stay as long as they like: they are what a smart stop waits for.
    func isOverdue(now: Double) -> Bool { mode != .smart && waitedSeconds(now: now) >= Self.patienceSeconds }
}
