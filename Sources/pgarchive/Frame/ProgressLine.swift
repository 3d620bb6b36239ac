import Glibc
import Synchronization

/// Where long work is: one line that is rewritten on a terminal, now and then a plain line elsewhere.
final class ProgressLine: Sendable {
    /// How often a terminal's line is redrawn, and how often a plain line is written, at most.
    private static let redrawSeconds = 0.1
    private static let plainSeconds = 5.0

    private struct State {
        var step = ""
        var stepStarted = 0.0
        var lastDrawn = -Double.infinity
        var isDrawn = false
        var rate = RateEstimate()
    }

    private let isOn: Bool
    private let isTerminal: Bool
    /// Every step's time is shown.
    private let isVerbose: Bool
    private let palette = Palette(descriptor: STDERR_FILENO)
    private let state = Mutex(State())

    init(isQuiet: Bool, isVerbose: Bool = false) {
        self.isOn = !isQuiet
        self.isVerbose = isVerbose
        self.isTerminal = Terminal.isTerminal(STDERR_FILENO) && Terminal.environment("TERM") != "dumb"
    }

    /// A step begins.
    func step(_ text: String) {
        guard isOn else { return }
        state.withLock { state in
            finishStep(&state)
            state = State(step: text, stepStarted: monotonicSeconds())
            if isTerminal {
                draw("\(text) …", &state)
            } else {
                StandardError.write(text + "\n")
            }
        }
    }

    /// Bytes done of the present step; a total of nil is not known.
    ///
    /// - Parameter remark: where that is by other measures.
    func bytes(done: UInt64, total: UInt64?, remark: String? = nil) {
        guard isOn else { return }
        state.withLock { state in
            let now = monotonicSeconds()
            state.rate.add(done: done, at: now)
            let pause = isTerminal ? Self.redrawSeconds : Self.plainSeconds
            guard now - state.lastDrawn >= pause else { return }
            // Off a terminal the step's own line has just been written.
            if !isTerminal, now - state.stepStarted < pause { return }
            state.lastDrawn = now
            if isTerminal {
                draw(terminalLine(state, done: done, total: total, remark: remark), &state)
            } else {
                let text = Self.line(state.step, done: done, total: total, rate: state.rate.perSecond, remark: remark)
                StandardError.write(text + "\n")
            }
        }
    }

    /// A remark in between.
    func note(_ text: String) {
        guard isOn else { return }
        state.withLock { state in
            finishLine(&state)
            StandardError.write(text + "\n")
        }
    }

    /// Leaves the terminal's last line as it should stay.
    func end() {
        guard isOn else { return }
        state.withLock { finishStep(&$0) }
    }

    private func finishStep(_ state: inout State) {
        finishLine(&state)
        guard isVerbose, !isTerminal, !state.step.isEmpty else { return }
        let seconds = monotonicSeconds() - state.stepStarted
        StandardError.write("\(state.step): took \(HumanText.elapsed(seconds: seconds))\n")
    }

    private func finishLine(_ state: inout State) {
        guard state.isDrawn else { return }
        let seconds = monotonicSeconds() - state.stepStarted
        let time = seconds >= 1 || isVerbose ? palette.dim(" (\(HumanText.elapsed(seconds: seconds)))") : ""
        StandardError.write("\r\u{1B}[K\(state.step)\(time)\n")
        state.isDrawn = false
    }

    private func draw(_ line: String, _ state: inout State) {
        StandardError.write("\r\u{1B}[K" + String(line.prefix(Terminal.columns - 1)))
        state.isDrawn = true
    }

    private func terminalLine(_ state: State, done: UInt64, total: UInt64?, remark: String?) -> String {
        let text = Self.line(state.step, done: done, total: total, rate: state.rate.perSecond, remark: remark)
        guard let total, total > 0 else { return text }
        let room = min(30, Terminal.columns - text.count - 4)
        return room < 8 ? text : text + "  " + Self.bar(fraction: Double(done) / Double(total), width: room)
    }

    /// `base backup  1.2 GB of 4.0 GB (30%), 120 MB/s, 24s left`.
    static func line(_ step: String, done: UInt64, total: UInt64?, rate: Double?, remark: String? = nil) -> String {
        var text = "\(step)  \(HumanText.bytes(done))"
        if let total, total > 0 {
            let percent = min(100, Int(Double(done) / Double(total) * 100))
            text += " of \(HumanText.bytes(max(total, done))) (\(percent)%)"
        }
        if let remark { text += ", \(remark)" }
        guard let rate, rate > 0 else { return text }
        text += ", \(HumanText.bytes(UInt64(min(rate, 1e18))))/s"
        if let total, total > done {
            text += ", \(HumanText.duration(seconds: Double(total - done) / rate)) left"
        }
        return text
    }

    private static func bar(fraction: Double, width: Int) -> String {
        let (full, empty) = Terminal.showsUnicode ? ("█", "░") : ("#", ".")
        let filled = Int((max(0, min(1, fraction)) * Double(width)).rounded())
        return "[" + String(repeating: full, count: filled) + String(repeating: empty, count: width - filled) + "]"
    }
}

/// A rate that follows the last seconds, so that an estimate is of what happens now.
struct RateEstimate {
    /// About how far back it looks.
    private static let windowSeconds = 5.0

    private var last: (done: UInt64, at: Double)?
    private(set) var perSecond: Double?

    mutating func add(done: UInt64, at now: Double) {
        guard let last else {
            self.last = (done, now)
            return
        }
        let seconds = now - last.at
        guard seconds >= 0.2, done >= last.done else { return }
        let current = Double(done - last.done) / seconds
        let weight = min(1, seconds / Self.windowSeconds)
        perSecond = perSecond.map { $0 + (current - $0) * weight } ?? current
        self.last = (done, now)
    }
}

/// Seconds of a clock that nobody sets.
func monotonicSeconds() -> Double {
    var time = timespec()
    clock_gettime(CLOCK_MONOTONIC, &time)
    return Double(time.tv_sec) + Double(time.tv_nsec) / 1e9
}
