import ArchiveModel
import Testing
import WALFormat

/// What names alone tell of a chain, and what its breaks cost.
struct ChainPlanTests {
    private let size = SegmentSize(bytes: 1 << 20) ?? .standard

    private func name(_ timeline: UInt32, _ number: UInt64) -> SegmentName {
        SegmentName(timeline: TimelineID(timeline), number: number, size: size)
    }

    private func facts(_ segments: [(timeline: UInt32, number: UInt64)]) -> ChainFacts {
        var facts = ChainFacts(segmentSize: size)
        facts.files = segments.sorted { ($0.timeline, $0.number) < ($1.timeline, $1.number) }
            .map { ChainFacts.File(name: name($0.timeline, $0.number), bytes: size.bytes) }
        return facts
    }

    private func snapshot(_ name: String, _ timeline: UInt32, redo: UInt64, consistent: UInt64) -> ChainFacts.Root {
        ChainFacts.Root(
            kind: .snapshot,
            name: name,
            timeline: TimelineID(timeline),
            redo: LSN(redo),
            consistent: LSN(consistent),
            time: PostgresTime(rawValue: Int64(consistent))
        )
    }

    private func segment(_ number: UInt64, plus offset: UInt64 = 0) -> UInt64 { number << 20 + offset }

    @Test func aHoleBetweenTwoSnapshotsCostsTheTimeBetween() throws {
        var facts = facts((5...20).filter { $0 != 12 }.map { (1, $0) })
        facts.roots = [
            snapshot("a", 1, redo: segment(5, plus: 100), consistent: segment(6)),
            snapshot("b", 1, redo: segment(16), consistent: segment(17, plus: 8)),
        ]
        let plan = ChainPlan(facts)
        let finding = try #require(plan.findings(plan.breaks).first)
        #expect(plan.breaks.count == 1)
        #expect(finding.kind == .missing && finding.segment == name(1, 12).description)
        #expect(finding.lostSnapshots == [])
        let cost = try #require(finding.costs.first)
        #expect(cost.from == LSN(segment(12)))
        #expect(cost.to == LSN(segment(17, plus: 8)))
        #expect(cost.nextSnapshot == "b")
    }

    @Test func aHoleInASnapshotsOwnRecoveryCostsTheSnapshot() throws {
        var facts = facts((5...20).filter { $0 != 7 }.map { (1, $0) })
        facts.roots = [snapshot("a", 1, redo: segment(5), consistent: segment(9))]
        let plan = ChainPlan(facts)
        let finding = try #require(plan.findings(plan.breaks).first)
        #expect(finding.lostSnapshots == ["a"])
        #expect(finding.costs.first?.from == LSN(segment(9)))
        #expect(finding.costs.first?.to == nil)
    }

    @Test func whatNothingNeedsIsNotMissed() {
        var facts = facts([3, 8, 9, 10].map { (1, $0) })
        facts.roots = [snapshot("a", 1, redo: segment(8), consistent: segment(9))]
        #expect(ChainPlan(facts).breaks == [])
    }

    @Test func anEmptyArchiveLacksWhatItsSnapshotsNeed() {
        var facts = facts([])
        facts.roots = [snapshot("a", 1, redo: segment(8), consistent: segment(9, plus: 1))]
        let plan = ChainPlan(facts)
        #expect(plan.breaks.map(\.numbers) == [8...9])
    }

    @Test func whatWasAcknowledgedMustBeThere() {
        var facts = facts((5...9).map { (1, $0) })
        facts.roots = [snapshot("a", 1, redo: segment(5), consistent: segment(6))]
        facts.reaches = [TimelineID(1): LSN(segment(12, plus: 1))]
        #expect(ChainPlan(facts).breaks.map(\.numbers) == [10...12])
    }

    private func history(
        _ timeline: TimelineID,
        of index: Int,
        _ parents: [(parent: Int, fork: UInt64)?]
    ) -> TimelineHistory {
        var chain: [TimelineHistory.Ancestor] = []
        var current = index
        while let way = parents[current] {
            chain.insert(.init(timeline: TimelineID(UInt32(way.parent + 1)), end: LSN(way.fork), reason: ""), at: 0)
            current = way.parent
        }
        return TimelineHistory(timeline: timeline, ancestors: chain)
    }

    /// Random archives of several timelines, against a model that goes through each segment by itself.
    @Test(arguments: 1...300)
    func missingSegmentsAreThoseThatAModelMisses(seed: UInt64) throws {
        var random = SeededGenerator(seed: seed)
        var facts = ChainFacts(segmentSize: size)
        // A tree of timelines, each leaving an older one somewhere.
        var parents: [(parent: Int, fork: UInt64)?] = [nil]
        var ends: [UInt64] = [UInt64.random(in: 10...40, using: &random)]
        for _ in 0..<Int.random(in: 0...3, using: &random) {
            let parent = Int.random(in: 0..<parents.count, using: &random)
            let begin = parents[parent]?.fork ?? segment(2)
            guard begin >> 20 < ends[parent] else { continue }
            let fork = UInt64.random(in: begin...segment(ends[parent]), using: &random) & ~7
            parents.append((parent, fork))
            ends.append(fork >> 20 + UInt64.random(in: 0...20, using: &random))
        }
        var present: [Int: Set<UInt64>] = [:]
        for (index, end) in ends.enumerated() {
            let first = (parents[index]?.fork ?? segment(2)) >> 20
            present[index] = Set((first...max(first, end)).filter { _ in Int.random(in: 0..<8, using: &random) > 0 })
            if index > 0 {
                let timeline = TimelineID(UInt32(index + 1))
                facts.histories[timeline] = history(timeline, of: index, parents)
            }
        }
        facts.files = present.flatMap { index, numbers in
            numbers.map { ChainFacts.File(name: name(UInt32(index + 1), $0), bytes: size.bytes) }
        }.sorted { $0.name.description < $1.name.description }
        let on = Int.random(in: 0..<ends.count, using: &random)
        let low = parents[on]?.fork ?? segment(2)
        let redo = UInt64.random(in: low...(low + 4 << 20), using: &random) & ~7
        facts.roots = [snapshot("s", UInt32(on + 1), redo: redo, consistent: redo + 8)]

        var wanted: Set<String> = []
        for tip in 0..<ends.count {
            guard let last = ([present[tip]?.max()] + (tip == on ? [(redo + 7) >> 20] : [])).compactMap({ $0 }).max()
            else { continue }
            // The way back from the tip, and whether the snapshot lies on it.
            var way: [(timeline: Int, first: UInt64, next: UInt64)] = []
            var current = tip
            var next = last + 1
            var holds = false
            var upper = UInt64.max
            while true {
                let fork = parents[current]?.fork
                if current == on, redo + 7 < upper, redo + 7 >= fork ?? 0 { holds = true }
                way.append((current, fork.map { $0 >> 20 } ?? 0, next))
                guard let parent = parents[current] else { break }
                next = min(next, parent.fork >> 20)
                upper = min(upper, parent.fork)
                current = parent.parent
            }
            guard holds else { continue }
            for leg in way {
                for number in max(leg.first, redo >> 20)..<max(leg.next, max(leg.first, redo >> 20))
                where present[leg.timeline]?.contains(number) != true {
                    wanted.insert(name(UInt32(leg.timeline + 1), number).description)
                }
            }
        }
        let plan = ChainPlan(facts)
        let found = plan.breaks.filter { $0.kind == .missing }.flatMap { place in
            place.numbers.map { SegmentName(timeline: place.timeline, number: $0, size: size).description }
        }
        #expect(Set(found) == wanted, "seed \(seed)")
        #expect(found.count == Set(found).count)
        for finding in plan.findings(plan.breaks) {
            #expect(finding.from ?? .invalid < finding.to ?? .invalid)
            for cost in finding.costs where cost.to != nil { #expect(cost.from < cost.to ?? .invalid) }
        }
    }
}

private struct SeededGenerator: RandomNumberGenerator {
    private var state: UInt64

    init(seed: UInt64) { state = seed &* 0x9E37_79B9_7F4A_7C15 | 1 }

    mutating func next() -> UInt64 {
        state ^= state << 13
        state ^= state >> 7
        state ^= state << 17
        return state
    }
}
