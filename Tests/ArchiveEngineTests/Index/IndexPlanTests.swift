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
            // Nothing in front of the first news is read again.
            let news = present.first { !known.contains($0) } ?? 99
            #expect(plan.read.allSatisfy { $0.numbers.lowerBound >= news })
        }
    }
}
