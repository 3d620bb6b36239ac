import ArchiveModel
import ArchiveTesting
import Foundation
import Platform
import PostgresLink
import Synchronization
import Testing

@testable import ArchiveEngine

/// A request is answered by what came of it, however quickly the part is tried again.
@Suite("Answers to starts, stops and restarts")
struct PartKeeperTests {
    /// A process that is started as the test says.
    private final class FakePart: SupervisedPart {
        struct State {
            var starts = 0
            var running: TestProcess?
            /// What the next start does.
            var deed = Deed.runs
        }

        enum Deed {
            case runs
            case refuses
            /// Starts, and ends at once.
            case ends
        }

        let state = Mutex(State())
        /// A start whose number is higher waits.
        let allowed = Mutex(Int.max)
        var part: Part { .standby }

        init(_ deed: Deed) { state.withLock { $0.deed = deed } }

        var starts: Int { state.withLock { $0.starts } }

        func find() -> ProcessIdentity? {
            state.withLock { $0.running.flatMap { ProcessIdentity.of($0.pid) } }.flatMap { $0.isAlive ? $0 : nil }
        }

        func start() throws -> ProcessIdentity {
            let (number, deed) = state.withLock { state in
                state.starts += 1
                return (state.starts, state.deed)
            }
            try eventually(within: 60, "the start is allowed") { allowed.withLock { $0 } >= number }
            guard deed != .refuses else { throw ArchiveError(.failed, "refused") }
            let process = try TestCommand("/bin/sleep", [deed == .ends ? "0.05" : "600"]).start()
            state.withLock { $0.running = process }
            guard let identity = ProcessIdentity.of(process.pid) else { throw ArchiveError(.failed, "ended") }
            return identity
        }

        func signal(to mode: RunningServer.StopMode, waitedSeconds: Double) -> Int32 { SIGKILL }
        func isReady() -> Bool { state.withLock { $0.deed == .runs } && find() != nil }
        func reasonToRestart() -> String? { nil }
    }

    private static func with(_ deed: FakePart.Deed, _ body: (PartKeeper, FakePart) throws -> Void) throws {
        try TestDirectory.with { directory in
            let part = FakePart(deed)
            let log = SupervisorLog(try ContainerFixture.container(in: directory))
            let keeper = try PartKeeper(part: part, wanted: false, log: log)
            let thread = try OwnedThread.start(name: "keeper") { keeper.run() }
            defer {
                part.allowed.withLock { $0 = .max }
                keeper.end()
                thread.join()
            }
            try body(keeper, part)
        }
    }

    private func soon() -> Date { Date(timeIntervalSinceNow: 30) }

    @Test("a failure is the answer though the part is being tried again")
    func failureIsNotLost() throws {
        try Self.with(.refuses) { keeper, part in
            part.allowed.withLock { $0 = 1 }
            keeper.ask(running: true)
            try eventually("it is tried again") { part.starts == 2 }
            let answer = keeper.answer(soon())
            #expect(answer?.phase == .failing)
            #expect(answer?.reason?.contains("refused") == true)
        }
    }

    @Test("one that ended at once and is tried again at once has not failed yet, and a restart says which it was")
    func restart() throws {
        try Self.with(.runs) { keeper, part in
            keeper.ask(running: true)
            #expect(keeper.answer(soon())?.phase == .running)
            part.state.withLock { $0.deed = .ends }
            for _ in 0..<3 {
                keeper.ask(running: true, restart: true)
                #expect(keeper.answer(soon())?.phase == .failing)
            }
            part.state.withLock { $0.deed = .runs }
            keeper.ask(running: true)
            #expect(keeper.answer(soon())?.phase == .running)
        }
    }

    @Test("a state from before the request is no answer to it")
    func staleState() throws {
        try Self.with(.runs) { keeper, part in
            for _ in 0..<20 {
                keeper.ask(running: true)
                let answer = try #require(keeper.answer(soon()))
                let process = try #require(part.find())
                #expect(answer.processID == process.pid)
                try process.signal(SIGKILL)
                // Whether the keeper has noticed it or not.
                try eventually("it is dead") { !process.isAlive }
            }
            keeper.ask(running: false)
            #expect(keeper.answer(soon())?.phase == .stopped)
            #expect(part.find() == nil)
        }
    }
}
