import ArchiveModel
import Testing
import WALFormat

@Suite("Whether the clock is believed when most snapshots would go")
struct ClockEvidenceTests {
    private static let day: Int64 = 86_400_000_000
    private static let now = PostgresTime(rawValue: 9000 * day)

    @Test(arguments: [
        // heard, the upstream's clock then, newest snapshot: days before now; believed
        (0.0, 0.0, 5.0, true),
        (0.5, 0.6, nil, true),
        (nil, nil, nil, true),
        (nil, nil, 0.5, true),
        // Nothing was heard for long, or the upstream says another day.
        (3.0, 3.0, 0.0, false),
        (0.0, 400.0, 0.0, false),
        (0.0, -400.0, 0.0, false),
        (-3.0, -3.0, 0.0, false),
        (nil, nil, 2.0, false),
    ])
    func table(_ heard: Double?, _ upstream: Double?, _ snapshot: Double?, _ isBelieved: Bool) {
        func time(_ daysAgo: Double?) -> PostgresTime? {
            daysAgo.map { PostgresTime(rawValue: Self.now.rawValue - Int64($0 * Double(Self.day))) }
        }
        let evidence = ClockEvidence(
            heardAt: time(heard),
            upstreamClock: time(upstream),
            newestSnapshot: time(snapshot)
        )
        #expect((evidence.objection(now: Self.now) == nil) == isBelieved)
    }

    @Test("whatever the times are, there is an answer", arguments: [Int64.min, -1, 0, 1, .max])
    func extremes(_ value: Int64) {
        for other in [Int64.min, 0, .max] {
            let evidence = ClockEvidence(
                heardAt: PostgresTime(rawValue: value),
                upstreamClock: PostgresTime(rawValue: other),
                newestSnapshot: nil
            )
            _ = evidence.objection(now: PostgresTime(rawValue: 0))
        }
    }

    @Test(arguments: [(0, 0, false), (1, 1, true), (1, 2, false), (2, 3, true), (5, 10, false), (6, 10, true)])
    func mass(_ deleted: Int, _ all: Int, _ isMass: Bool) {
        #expect(ClockEvidence.isMassDeletion(deleted, of: all) == isMass)
    }
}
