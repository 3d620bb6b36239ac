import Platform

/// What a thread of the supervisor does every few moments, until it is told to end.
final class Rounds: Sendable {
    private let milliseconds: Int32
    private let log: SupervisorLog
    private let ending: EventDescriptor

    init(everyMilliseconds milliseconds: Int32, log: SupervisorLog) throws {
        self.milliseconds = milliseconds
        self.log = log
        self.ending = try EventDescriptor()
    }

    func end() { ending.signal() }

    /// True also where it cannot be seen.
    var isEnding: Bool { (try? Poll.wait(for: ending.raw, timeoutMilliseconds: 0)) ?? true }

    /// - Parameter round: returns what went wrong; what stays wrong is said once.
    func run(_ round: () -> [String]) {
        var lastTrouble: [String] = []
        repeat {
            let trouble = round()
            for line in trouble where !lastTrouble.contains(line) { log.line(line) }
            lastTrouble = trouble
        } while (try? Poll.wait(for: ending.raw, timeoutMilliseconds: milliseconds)) == false
    }
}
