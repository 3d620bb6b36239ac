import Platform
import WALFormat

/// How long nothing became durable though there was something to make so: a disk that does not answer is said.
struct DiskSilence {
    /// A sync may take that long before it is said.
    private static let longestSeconds = 10.0

    /// Since when; nil while there is nothing to make durable.
    private var beganSeconds: Double?
    /// It has lasted so long that it was said.
    private var isSaid = false

    var isRunning: Bool { beganSeconds != nil }

    /// Also anew: from here on the disk has time again.
    mutating func begins() { beganSeconds = SystemClock.monotonicSeconds() }

    mutating func ends() { beganSeconds = nil }

    /// Why nothing becomes durable, once that lasts; the log is told when it begins to, and when it is over.
    mutating func reason(durable: LSN?, _ log: ReceiverLog) -> String? {
        let seconds = beganSeconds.map { SystemClock.monotonicSeconds() - $0 } ?? 0
        let isLong = seconds >= Self.longestSeconds
        let durable = durable.map { "durable up to \($0)" } ?? "nothing is durable yet"
        if isLong != isSaid {
            isSaid = isLong
            log.write(isLong ? "the disk does not answer; \(durable)" : "the disk answers again; \(durable)")
        }
        return isLong ? "the disk has not answered for \(Int(seconds)) s; \(durable)" : nil
    }
}
