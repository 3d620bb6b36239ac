import Platform

/// How long a command waits for parts that are on their way, and what it says meanwhile.
package final class Patience {
    /// Between remarks.
    private static let remarkSeconds = 10.0

    private let deadline: Deadline
    private let remark: (String) -> Void
    private var lastRemark = ""
    private var lastRemarkSeconds = SystemClock.monotonicSeconds()

    /// - Parameters:
    ///   - seconds: nil means as long as it takes, 0 not at all.
    ///   - remark: gets a line from time to time, for a user who wonders.
    package init(seconds: Double? = nil, remark: @escaping (String) -> Void = { _ in }) {
        self.deadline = Deadline(seconds: seconds)
        self.remark = remark
    }

    var isOver: Bool { deadline.hasPassed }
    var secondsLeft: Double? { deadline.secondsLeft }

    /// Says what is waited for, unless that was just said.
    func remark(_ reply: ControlReply) {
        let now = SystemClock.monotonicSeconds()
        let text = reply.parts.filter { $0.phase == .starting || $0.phase == .stopping }
            .map { "\($0.part.rawValue) is \($0.phase.rawValue)" + ($0.reason.map { ": \($0)" } ?? "") }
            .joined(separator: "; ")
        guard !text.isEmpty, text != lastRemark, now - lastRemarkSeconds >= Self.remarkSeconds else { return }
        lastRemark = text
        lastRemarkSeconds = now
        remark(text)
    }
}
