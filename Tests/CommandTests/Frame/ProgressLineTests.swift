import Testing

@testable import pgarchive

struct ProgressLineTests {
    @Test(
        arguments: [
            (UInt64(0), UInt64?.none, Double?.none, "copy  0 B"),
            (512 << 20, 2 << 30, 128.0 * 1_048_576, "copy  512 MB of 2.0 GB (25%), 128 MB/s, 12s left"),
            (3 << 30, 2 << 30, 1024.0, "copy  3.0 GB of 3.0 GB (100%), 1.0 kB/s"),
            (1, 0, 0.0, "copy  1 B"),
        ] as [(UInt64, UInt64?, Double?, String)]
    )
    func lines(_ done: UInt64, _ total: UInt64?, _ rate: Double?, _ text: String) {
        #expect(ProgressLine.line("copy", done: done, total: total, rate: rate) == text)
    }

    @Test func aRateFollowsWhatHappensNow() {
        var rate = RateEstimate()
        rate.add(done: 0, at: 0)
        #expect(rate.perSecond == nil)
        rate.add(done: 100, at: 1)
        #expect(rate.perSecond == 100)
        for second in 2..<60 { rate.add(done: UInt64(100 + (second - 1) * 10), at: Double(second)) }
        #expect((rate.perSecond ?? 0) < 11)
        // A count that goes back is a new one, not a negative rate.
        rate.add(done: 0, at: 61)
        #expect((rate.perSecond ?? -1) > 0)
    }
}
