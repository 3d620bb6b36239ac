import ArchiveModel
import Testing

/// How long a recovery will take, by those before it.
struct ReplayRateTests {
    @Test func itLearns() {
        let megabyte: UInt64 = 1 << 20
        let unknown = ReplayRate.assumed
        #expect(unknown.seconds(replaying: 150 * megabyte) == 1.5)
        let started = unknown.learning(bytes: 0, seconds: 0.2)
        #expect(started.startSeconds == 0.2)
        let replayed = started.learning(bytes: 100 * megabyte, seconds: 1.2)
        #expect(abs(replayed.seconds(replaying: 200 * megabyte) - (0.2 + 200 / 125)) < 0.3)
        // Of a small one the start is what replay does not account for.
        let small = unknown.learning(bytes: 15 * megabyte, seconds: 1.1)
        #expect(abs(small.seconds(replaying: 15 * megabyte) - 1.1) < 0.001)
        #expect(small.bytesPerSecond == unknown.bytesPerSecond)
        // Nonsense by a clock that steps, or of a quicker disk, leaves something to divide by.
        #expect(replayed.learning(bytes: 100 * megabyte, seconds: 0) == replayed)
        #expect(replayed.learning(bytes: 100 * megabyte, seconds: 1e-3).seconds(replaying: 0) < 1)
        #expect(replayed.learning(bytes: .max, seconds: 1e6).seconds(replaying: .max).isFinite)
    }
}
