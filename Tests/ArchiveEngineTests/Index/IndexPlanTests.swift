import ArchiveEngine
import Testing
import WALFormat

@Suite("What an index has to do")
struct IndexPlanTests {
    private static let one = TimelineID(1)
    private static let two = TimelineID(2)

    private static func plan(_ present: [TimelineID: [UInt64]], _ rows: [TimelineID: [UInt64]]) -> IndexPlan {
        IndexPlan(present: present, rows: rows)
    }

    @Test("new segments are read in order, rows of those that are gone go")
    func following() {
        let plan = Self.plan([Self.one: [3, 4, 5, 6], Self.two: [6, 8]], [Self.one: [1, 2, 3, 4]])
        #expect(plan.remove == [.init(timeline: Self.one, numbers: 1...2)])
        #expect(
            plan.read == [
                .init(timeline: Self.one, numbers: 5...6), .init(timeline: Self.two, numbers: 6...6),
                .init(timeline: Self.two, numbers: 8...8),
            ]
        )
        #expect(plan.segmentsToRead == 4)
        #expect(Self.plan([Self.one: [1, 2]], [Self.one: [1, 2]]).isEmpty)
    }

    @Test("a hole that is filled makes what follows be read again")
    func filled() {
        let plan = Self.plan([Self.one: [1, 2, 3, 4]], [Self.one: [1, 3, 4]])
        #expect(plan.remove == [.init(timeline: Self.one, numbers: 3...4)])
        #expect(plan.read == [.init(timeline: Self.one, numbers: 2...4)])
    }

    @Test("a segment that is gone from the middle makes what follows be read again, an expired one does not")
    func gone() {
        let plan = Self.plan([Self.one: [2, 3, 5]], [Self.one: [1, 2, 3, 4, 5]])
        #expect(plan.remove == [.init(timeline: Self.one, numbers: 1...1), .init(timeline: Self.one, numbers: 4...5)])
        #expect(plan.read == [.init(timeline: Self.one, numbers: 5...5)])
        #expect(
            IndexPlan(present: [Self.one: [2, 5]], rows: [Self.one: [2, 5]], outdated: [Self.one: [1, 4]])
                == .init(
                    present: [Self.one: [2, 5]],
                    rows: [Self.one: [1, 2, 4, 5]]
                )
        )
    }

    @Test("what came late before a fork makes the later timeline be read again")
    func laterTimeline() {
        let rows: [TimelineID: [UInt64]] = [Self.one: [1, 2], Self.two: [4, 5]]
        let late = Self.plan([Self.one: [1, 2, 3], Self.two: [4, 5]], rows)
        #expect(late.remove == [.init(timeline: Self.two, numbers: 4...5)])
        #expect(late.segmentsToRead == 3)
        #expect(Self.plan([Self.one: [1, 2, 4], Self.two: [4, 5]], rows).segmentsToRead == 1)
        let outdated = IndexPlan(present: [Self.one: [1, 2, 3]], rows: [Self.one: [1, 3]], outdated: [Self.one: [2]])
        #expect(outdated.remove == [.init(timeline: Self.one, numbers: 2...3)])
        #expect(outdated.read == outdated.remove)
    }

    @Test("carried out, whatever was there before, every segment that is there has a row and no other")
    func random() {
        for _ in 0..<500 {
            let present = (0..<20 as Range<UInt64>).filter { _ in Int.random(in: 0..<3) > 0 }
            var rows = Set((0..<20 as Range<UInt64>).filter { _ in Int.random(in: 0..<3) > 0 })
            let known = rows
            let plan = Self.plan([Self.one: present], [Self.one: rows.sorted()])
            for run in plan.remove { rows.subtract(run.numbers) }
            for number in plan.read.flatMap(\.numbers) {
                // In order: nothing behind it is there yet.
                #expect(rows.allSatisfy { $0 < number })
                rows.insert(number)
            }
            #expect(rows == Set(present))
            // Nothing in front of the first news or hole is read again.
            let oldest = present.first ?? 99
            let news = min(
                present.first { !known.contains($0) } ?? 99,
                known.filter { $0 > oldest && !present.contains($0) }.min() ?? 99
            )
            #expect(plan.read.allSatisfy { $0.numbers.lowerBound >= news })
        }
    }
}
