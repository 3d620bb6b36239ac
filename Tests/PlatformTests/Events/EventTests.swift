import Glibc
import Platform
import Testing

@Suite
struct EventTests {
    @Test func aSignalledEventWakesAThreadThatPolls() throws {
        let event = try EventDescriptor()
        #expect(!event.drain())
        let thread = try OwnedThread.start(name: "signals") { event.signal() }
        #expect(try Poll.wait(for: event.raw, timeoutMilliseconds: 20_000))
        thread.join()
        event.signal()
        #expect(event.drain())
        #expect(!event.drain())
    }

    @Test func pollSaysWhichIsReady() throws {
        let quiet = try EventDescriptor()
        let loud = try EventDescriptor()
        loud.signal()
        let ready = try Poll.wait([PollItem(quiet.raw), PollItem(-1), PollItem(loud.raw)])
        #expect(ready == [[], [], .readable])
    }

    @Test func pollEndsWhenTheTimeIsOver() throws {
        let quiet = try EventDescriptor()
        let before = SystemClock.monotonicSeconds()
        #expect(try Poll.wait([PollItem(quiet.raw)], timeoutMilliseconds: 60) == [[]])
        #expect(SystemClock.monotonicSeconds() - before >= 0.059)
    }

    @Test func theEndOfAPipeIsReported() throws {
        var pipe = try Descriptor.pipe()
        pipe.writing = try Descriptor.open("/dev/null", O_WRONLY)
        let ready = try Poll.wait([PollItem(pipe.reading.raw)], timeoutMilliseconds: 20_000)
        #expect(ready.first?.contains(.hangUp) == true)
    }

    @Test func timersFireOnceOrAgain() throws {
        let timer = try TimerDescriptor()
        #expect(timer.drain() == 0)
        try timer.set(after: 0.01)
        #expect(try Poll.wait(for: timer.raw, timeoutMilliseconds: 20_000))
        #expect(timer.drain() == 1)
        try timer.set(after: 0, every: 0.005)
        for _ in 0..<3 {
            #expect(try Poll.wait(for: timer.raw, timeoutMilliseconds: 20_000))
            #expect(timer.drain() >= 1)
        }
        try timer.disarm()
        timer.drain()
        #expect(try !Poll.wait(for: timer.raw, timeoutMilliseconds: 20))
    }

    @Test func blockedSignalsAreReadFromADescriptor() async {
        await #expect(processExitsWith: .success) {
            // Blocked in one thread only, hence sent to it alone.
            try SignalSet.block([SIGTERM, SIGUSR2])
            let signals = try SignalSet.descriptor([SIGTERM, SIGUSR2])
            #expect(try SignalSet.read(signals) == nil)
            pthread_kill(pthread_self(), SIGUSR2)
            #expect(try Poll.wait(for: signals.raw, timeoutMilliseconds: 20_000))
            #expect(try SignalSet.read(signals) == SIGUSR2)
            #expect(try SignalSet.read(signals) == nil)
        }
    }

    @Test func deadlines() {
        #expect(Deadline(seconds: nil).millisecondsLeft == -1)
        #expect(!Deadline(seconds: nil).hasPassed)
        #expect(Deadline(seconds: 0).hasPassed)
        #expect(Deadline(seconds: -5).millisecondsLeft == 0)
        #expect(Deadline(seconds: 1e12).millisecondsLeft == 2_000_000_000)
        #expect((500...1000).contains(Deadline(seconds: 1).millisecondsLeft))
    }
}
