import ArchiveModel
import ArchiveTesting
import Testing
import WALFormat

struct CloneExpiryPlanTests {
    private static let now = PostgresTime(rawValue: 800_000_000_000_000)

    private static func before(_ seconds: Double) -> PostgresTime {
        PostgresTime(rawValue: now.rawValue - Int64(seconds * 1e6))
    }

    private static func plan(_ clones: [CloneExpiryPlan.Clone], idleStop: Double? = 3600) -> CloneExpiryPlan {
        CloneExpiryPlan(clones: clones, now: now, idleStop: idleStop)
    }

    @Test func whatIsOverAndUnusedGoes() {
        let plan = Self.plan([
            .init(name: "b", expiresAt: Self.before(1), lastUsed: Self.before(10), wasUsed: false),
            .init(name: "a", expiresAt: Self.now, isRunning: true, lastUsed: Self.before(301)),
            .init(name: "later", expiresAt: Self.before(-1), lastUsed: Self.before(10)),
            .init(name: "stays", lastUsed: Self.before(1e6)),
        ])
        #expect(plan.steps.map(\.clone) == ["a", "b"])
        #expect(plan.steps.allSatisfy { $0.deed == .delete })
        #expect(plan.kept.map(\.reason) == [.until(Self.before(-1)), .stays])
    }

    /// Stopped to be copied, or for a line of its configuration: its user comes back at once.
    @Test func whatWasUsedAMomentAgoStays() {
        for isRunning in [false, true] {
            let used = CloneExpiryPlan.Clone(
                name: "used",
                expiresAt: Self.before(86_400),
                isRunning: isRunning,
                lastUsed: Self.before(299)
            )
            #expect(Self.plan([used]).steps.isEmpty)
            #expect(Self.plan([used]).kept.map(\.reason) == [.justUsed(Self.before(299))])
        }
    }

    @Test func anIdleCloneIsOnlyStopped() {
        let idle = CloneExpiryPlan.Clone(
            name: "idle",
            expiresAt: Self.before(-5),
            isRunning: true,
            lastUsed: Self.before(3600)
        )
        let steps = Self.plan([idle]).steps
        #expect(steps.map(\.clone) == ["idle"] && steps.map(\.deed) == [.stop])
        #expect(Self.plan([idle], idleStop: nil).steps.isEmpty)
        #expect(Self.plan([idle], idleStop: 3601).steps.isEmpty)
    }

    /// A thousand random clones: nothing is ever done to one that is protected, used or being worked on, and
    /// everything that is over and free goes.
    @Test func whatIsProtectedOrUsedIsNeverTouched() {
        var generator = SeededGenerator(seed: 71)
        for round in 0..<1000 {
            let clone = CloneExpiryPlan.Clone(
                name: "c\(round)",
                isProtected: Int.random(in: 0..<4, using: &generator) == 0,
                expiresAt: Bool.random(using: &generator)
                    ? Self.before(Double.random(in: -1000...1000, using: &generator)) : nil,
                isRunning: Bool.random(using: &generator),
                clients: [0, 0, 3, nil].randomElement(using: &generator) ?? 0,
                isLocked: Int.random(in: 0..<4, using: &generator) == 0,
                lastUsed: Self.before(Double.random(in: 0...10_000, using: &generator)),
                wasUsed: Bool.random(using: &generator)
            )
            let plan = Self.plan([clone])
            let isUsed = clone.isLocked || (clone.isRunning && clone.clients != 0)
            if clone.isProtected || isUsed { #expect(plan.steps.isEmpty, "\(clone)") }
            let isOver = clone.expiresAt.map { $0 <= Self.now } ?? false
            #expect(plan.steps.count <= 1 && (isOver || plan.steps.allSatisfy { $0.deed == .stop }), "\(clone)")
            let isLeft = !clone.isRunning && !clone.wasUsed || clone.lastUsed <= Self.before(300)
            if isOver, !clone.isProtected, !isUsed, isLeft { #expect(plan.steps.count == 1, "\(clone)") }
        }
    }
}

struct TimeSpanTests {
    @Test(arguments: [
        ("2d", 172_800.0), ("90min", 5400), ("12 hours", 43_200), ("1 week", 604_800), ("1h 30min", 5400), ("5 S", 5),
    ])
    func reads(_ text: String, _ seconds: Double) {
        #expect(TimeSpan.parse(text) == seconds)
        #expect(TimeSpan.parse(TimeSpan.exact(seconds)) == seconds)
    }

    @Test(arguments: ["", "0d", "2", "d", "-1d", "2 fortnights", "99999999999w", "1.5h", "2d3", "never"])
    func refuses(_ text: String) {
        #expect(TimeSpan.parse(text) == nil)
    }
}
