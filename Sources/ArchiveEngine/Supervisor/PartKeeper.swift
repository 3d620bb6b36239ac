import ArchiveModel
import Foundation
import Glibc
import Platform
import WALFormat

/// Keeps one part as its user wants it, on a thread of its own.
final class PartKeeper: @unchecked Sendable {
    let part: any SupervisedPart
    private let log: SupervisorLog
    private let wake: EventDescriptor
    /// Guards everything below; `@unchecked Sendable` rests on it.
    private let condition = NSCondition()
    private var wanted: Bool
    private var stopMode: String?
    private var isEnding = false
    private var restartRequested = false
    private var state: ControlReply.PartState

    init(part: any SupervisedPart, wanted: Bool, log: SupervisorLog) throws {
        self.part = part
        self.wanted = wanted
        self.log = log
        self.wake = try EventDescriptor()
        self.state = ControlReply.PartState(part: part.part, phase: .stopped)
    }

    var current: ControlReply.PartState {
        condition.lock()
        defer { condition.unlock() }
        return state
    }

    /// Changes what is wanted, and waits until it is so.
    ///
    /// - Returns: false when the time was over first.
    func request(running: Bool, mode: String? = nil, restart: Bool = false, timeoutSeconds: Double) -> Bool {
        condition.lock()
        defer { condition.unlock() }
        wanted = running
        stopMode = mode
        restartRequested = restart
        wake.signal()
        let deadline = Date(timeIntervalSinceNow: timeoutSeconds)
        while true {
            if !restartRequested, running ? state.phase == .running : state.phase == .stopped { return true }
            if running, !restartRequested, state.phase == .failing { return false }
            if !condition.wait(until: deadline) { return false }
        }
    }

    /// Stops the part and ends the thread; what the user wants is not changed.
    func end() {
        condition.lock()
        wanted = false
        isEnding = true
        condition.unlock()
        wake.signal()
    }

    // MARK: - The thread

    func run() {
        var policy = RestartPolicy()
        while true {
            condition.lock()
            let wanted = wanted
            let mode = stopMode
            let ending = isEnding
            let restart = restartRequested
            condition.unlock()
            if restart || !wanted {
                stop(mode: mode)
                update { $0.restartRequested = false }
                if ending { return }
                if !wanted { wait(milliseconds: -1, process: nil) }
                continue
            }
            let delay = keepRunning(&policy)
            if delay > 0 { wait(milliseconds: Int32(delay * 1000), process: nil) }
        }
    }

    /// Starts or adopts the process and watches it until it dies or something else is wanted.
    ///
    /// - Returns: seconds to wait before it is tried again.
    private func keepRunning(_ policy: inout RestartPolicy) -> Double {
        let begin = SystemClock.monotonicSeconds()
        let process: ProcessIdentity
        do {
            if let found = part.find() {
                process = found
                log.line("\(part.part.rawValue): found running, process \(found.pid)")
            } else {
                set(.starting)
                process = try part.start()
                log.line("\(part.part.rawValue): started, process \(process.pid)")
            }
        } catch {
            let delay = policy.died(ranSeconds: 0)
            fail("does not start: \(Self.describe(error))", delay: delay)
            return delay
        }
        watch(process)
        guard !process.isAlive else { return 0 }
        let delay = policy.died(ranSeconds: SystemClock.monotonicSeconds() - begin)
        fail("process \(process.pid) ended", delay: delay)
        return delay
    }

    private func watch(_ process: ProcessIdentity) {
        var isReady = false
        while process.isAlive {
            if !isReady {
                isReady = part.isReady()
                set(isReady ? .running : .starting, process: process)
            } else if let reason = part.reasonToRestart() {
                log.line("\(part.part.rawValue): restarting, \(reason)")
                stop(mode: nil)
                return
            }
            wait(milliseconds: isReady ? 2000 : 100, process: process)
            condition.lock()
            let goOn = wanted && !restartRequested
            condition.unlock()
            if !goOn { return }
        }
    }

    private func stop(mode: String?) {
        guard let process = part.find() else { return set(.stopped) }
        set(.stopping, process: process)
        do {
            try part.stop(mode: mode)
            log.line("\(part.part.rawValue): stopped")
            set(.stopped)
        } catch {
            log.line("\(part.part.rawValue): does not stop: \(Self.describe(error))")
            set(.failing, reason: "does not stop: \(Self.describe(error))", process: process)
        }
    }

    private func wait(milliseconds: Int32, process: ProcessIdentity?) {
        defer { wake.drain() }
        // `if let` would take the handle, and close it before the wait.
        guard let death = process?.handle() ?? nil else {
            _ = try? Poll.wait(
                for: wake.raw,
                timeoutMilliseconds: process == nil ? milliseconds : min(milliseconds, 100)
            )
            return
        }
        _ = try? Poll.wait([PollItem(wake.raw), PollItem(death.raw)], timeoutMilliseconds: milliseconds)
    }

    private func fail(_ reason: String, delay: Double) {
        log.line("\(part.part.rawValue): \(reason)\(delay > 0 ? ", next try in \(delay) s" : "")")
        set(.failing, reason: reason)
    }

    private func set(_ phase: ControlReply.PartState.Phase, reason: String? = nil, process: ProcessIdentity? = nil) {
        update {
            $0.state = ControlReply.PartState(
                part: $0.part.part,
                phase: phase,
                reason: reason,
                processID: process?.pid
            )
        }
    }

    private func update(_ change: (PartKeeper) -> Void) {
        condition.lock()
        change(self)
        condition.broadcast()
        condition.unlock()
    }

    private static func describe(_ error: any Error) -> String {
        guard let error = error as? ArchiveError else { return "\(error)" }
        return ([error.what] + error.details).joined(separator: "; ")
    }
}

/// `log/supervisor.log`: one line per event, with the UTC time.
final class SupervisorLog: Sendable {
    func line(_ text: String) {
        let line = "\(Instant.iso(.init(unixMicroseconds: SystemClock.now()))) \(text)\n"
        // A full disk must not end the supervisor: a line that cannot be written is lost.
        _ = line.withCString { Glibc.write(STDERR_FILENO, $0, strlen($0)) }
    }
}
