import ArchiveModel
import Foundation
import Glibc
import Platform
import PostgresLink

/// Keeps one part as its user wants it, on a thread of its own.
final class PartKeeper: @unchecked Sendable {
    let part: any SupervisedPart
    private let log: SupervisorLog
    private let wake: EventDescriptor
    /// Guards everything below; `@unchecked Sendable` rests on it.
    private let condition = NSCondition()
    private var wanted: Bool
    private var stopMode = RunningServer.StopMode.fast
    private var isEnding = false
    private var restartRequested = false
    /// Counts what was asked: what was so before the last request is no answer to it.
    private var requests = 0
    /// How many of them were known when the part was last looked at.
    private var lookedAfter = 0
    private var state: ControlReply.PartState
    /// What has failed since the last request; kept while it is tried again, until it succeeds.
    private var failure: ControlReply.PartState?

    init(part: any SupervisedPart, wanted: Bool, log: SupervisorLog) throws {
        self.part = part
        self.wanted = wanted
        self.log = log
        self.wake = try EventDescriptor()
        self.state = ControlReply.PartState(part: part.part, phase: wanted ? .starting : .stopped)
    }

    var current: ControlReply.PartState { locked { state } }

    var isWanted: Bool { locked { wanted } }

    /// Changes what is wanted; `answer` waits for it.
    func ask(running: Bool, mode: RunningServer.StopMode = .fast, restart: Bool = false) {
        update {
            $0.requests += 1
            if !running || restart {
                // A stop that is under way is made sharper, never milder.
                let isStopping = $0.restartRequested || !$0.wanted
                $0.stopMode = isStopping ? max($0.stopMode, mode) : mode
            }
            $0.wanted = running
            $0.restartRequested = restart
            $0.failure = nil
            if $0.state.phase == .failing {
                $0.state.phase = running && !restart ? .starting : .stopping
                $0.state.reason = nil
            }
        }
        wake.signal()
    }

    /// Waits until the part is as it was asked to be, or has failed to be so.
    ///
    /// - Returns: what it was then; nil when the time was over first.
    func answer(_ deadline: Date) -> ControlReply.PartState? {
        condition.lock()
        defer { condition.unlock() }
        while true {
            if let failure { return failure }
            let isSettled = lookedAfter == requests && !restartRequested
            if isSettled, state.phase == (wanted ? .running : .stopped) { return state }
            if !condition.wait(until: deadline) { return nil }
        }
    }

    /// Waits until the part has stopped, however long that takes; false when it is wanted again.
    func waitUntilStopped() -> Bool {
        condition.lock()
        defer { condition.unlock() }
        while !wanted {
            if state.phase == .stopped { return true }
            condition.wait()
        }
        return false
    }

    /// Stops the part and ends the thread; what the user wants is not changed.
    func end() {
        ask(running: false)
        update { $0.isEnding = true }
        wake.signal()
    }

    // MARK: - The thread

    func run() {
        var policy = RestartPolicy()
        var process: ProcessIdentity?
        while true {
            let (goes, request) = locked { (wanted && !restartRequested, requests) }
            guard goes else {
                let isStopped = stop(process)
                process = nil
                update { $0.restartRequested = false }
                if locked({ isEnding }) { return }
                if isStopped, locked({ !wanted && lookedAfter == requests }) { wait(milliseconds: -1, process: nil) }
                continue
            }
            let delay = keepRunning(&policy, &process, request: request)
            if delay > 0, locked({ requests }) == request { wait(milliseconds: Int32(delay * 1000), process: nil) }
        }
    }

    /// Starts or adopts the process and watches it until it dies or something else is wanted.
    ///
    /// - Returns: seconds to wait before it is tried again.
    private func keepRunning(_ policy: inout RestartPolicy, _ known: inout ProcessIdentity?, request: Int) -> Double {
        let begin = SystemClock.monotonicSeconds()
        let process: ProcessIdentity
        do {
            if let found = part.find() {
                process = found
                log.line("\(part.part.rawValue): found running, process \(found.pid)")
            } else {
                set(.starting, request)
                process = try part.start()
                log.line("\(part.part.rawValue): started, process \(process.pid)")
            }
        } catch {
            let delay = policy.died(ranSeconds: 0)
            fail("does not start: \(Self.describe(error))", delay: delay, request: request)
            return delay
        }
        known = process
        watch(process)
        guard !process.isAlive else { return 0 }
        known = nil
        let delay = policy.died(ranSeconds: SystemClock.monotonicSeconds() - begin)
        fail("process \(process.pid) ended", delay: delay, request: request)
        return delay
    }

    private func watch(_ process: ProcessIdentity) {
        var isReady = false
        while true {
            let request = locked { requests }
            guard process.isAlive else { return }
            if !isReady { isReady = part.isReady() }
            if !isReady || current.phase != .running || locked({ lookedAfter }) != request {
                set(isReady ? .running : .starting, request, process: process)
            } else if let reason = part.reasonToRestart() {
                log.line("\(part.part.rawValue): restarting, \(reason)")
                update {
                    $0.restartRequested = true
                    $0.stopMode = .fast
                }
            }
            if locked({ !wanted || restartRequested }) { return }
            wait(milliseconds: isReady ? 2000 : 100, process: process)
            if locked({ !wanted || restartRequested }) { return }
        }
    }

    /// Asks the process to end until it has; looks up for every request meanwhile.
    ///
    /// - Parameter known: the process where it is too young to be found.
    /// - Returns: false when it was given up, since the supervisor ends.
    private func stop(_ known: ProcessIdentity?) -> Bool {
        let first = locked { requests }
        guard let process = part.find() ?? known, process.isAlive else {
            set(.stopped, first)
            return true
        }
        var request = -1
        var course = StopCourse(.fast, now: 0)
        while process.isAlive {
            let now = SystemClock.monotonicSeconds()
            let (newest, mode, ending) = locked { (requests, stopMode, isEnding) }
            if newest != request {
                request = newest
                course = StopCourse(mode, now: now)
                let reason = mode == .smart ? "waits for its clients to leave" : nil
                set(.stopping, request, reason: reason, process: process)
            }
            if course.asks(now: now) {
                do {
                    try process.signal(part.signal(to: mode, waitedSeconds: course.waitedSeconds(now: now)))
                } catch {
                    failToStop("\(error)", request, process)
                }
            }
            if course.isOverdue(now: now) {
                failToStop("it still runs after \(Int(course.waitedSeconds(now: now))) s", request, process)
                if ending { return false }
            }
            wait(milliseconds: Int32(StopCourse.repeatSeconds * 1000), process: process)
        }
        log.line("\(part.part.rawValue): stopped")
        set(.stopped, max(first, request))
        return true
    }

    private func failToStop(_ reason: String, _ request: Int, _ process: ProcessIdentity) {
        if current.phase != .failing {
            log.line("\(part.part.rawValue): process \(process.pid) does not stop: \(reason)")
        }
        set(.failing, request, reason: "does not stop: \(reason)", process: process)
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

    private func fail(_ reason: String, delay: Double, request: Int) {
        log.line("\(part.part.rawValue): \(reason)\(delay > 0 ? ", next try in \(delay) s" : "")")
        // What is tried again at once is on its way still.
        set(delay > 0 ? .failing : .starting, request, reason: reason)
    }

    /// - Parameter request: the last one that was known before the part was looked at.
    private func set(
        _ phase: ControlReply.PartState.Phase,
        _ request: Int,
        reason: String? = nil,
        process: ProcessIdentity? = nil
    ) {
        update {
            // Asked anew meanwhile: it is tried again at once, and that is the answer.
            let onTheWay = $0.wanted && !$0.restartRequested ? ControlReply.PartState.Phase.starting : .stopping
            let phase = phase == .failing && request != $0.requests ? onTheWay : phase
            $0.lookedAfter = request
            $0.state = ControlReply.PartState(
                part: $0.part.part,
                phase: phase,
                reason: reason,
                processID: process?.pid
            )
            if phase == .failing { $0.failure = $0.state }
            if phase == .running || phase == .stopped { $0.failure = nil }
        }
    }

    private func locked<Value>(_ look: () -> Value) -> Value {
        condition.lock()
        defer { condition.unlock() }
        return look()
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
