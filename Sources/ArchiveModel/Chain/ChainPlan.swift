package import WALFormat

/// Which segments must be there, for whom, and what names, lengths and first pages say against it.
///
/// Pure: the same facts give the same plan. A timeline's end that something can still be recovered to is a tip; what
/// leads to it from the oldest root that can use it is needed.
package struct ChainPlan: Sendable {
    /// Consecutive segments of one timeline.
    package struct Leg: Hashable, Sendable {
        package var timeline: TimelineID
        package var numbers: ClosedRange<UInt64>
    }

    package struct Tip: Sendable {
        package let timeline: TimelineID
        package let path: TimelinePath
        /// Oldest first.
        package let legs: [Leg]
        package let roots: [ChainFacts.Root]
        /// How far the timeline goes, by names alone.
        package let end: LSN

        package func needs(_ chainBreak: ChainBreak) -> Bool {
            legs.contains { $0.timeline == chainBreak.timeline && $0.numbers.overlaps(chainBreak.numbers) }
        }
    }

    package let facts: ChainFacts
    package let tips: [Tip]
    /// The needed segments of each timeline, ascending and apart from each other.
    package let needed: [TimelineID: [ClosedRange<UInt64>]]
    package let breaks: [ChainBreak]
    package let notes: [ChainNote]

    package init(_ facts: ChainFacts) {
        self.facts = facts
        let shelves = Shelf.sorted(facts)
        let builder = TipBuilder(facts: facts, shelves: shelves)
        let tips = builder.tips()
        self.tips = tips
        var needed: [TimelineID: [ClosedRange<UInt64>]] = [:]
        for leg in tips.flatMap(\.legs) { needed[leg.timeline, default: []].append(leg.numbers) }
        self.needed = needed.mapValues(Self.united)
        var judgement = ChainJudgement(facts: facts, shelves: shelves, tips: tips, needed: self.needed)
        judgement.run()
        breaks = judgement.breaks.sorted { ($0.timeline, $0.from, $0.file) < ($1.timeline, $1.from, $1.file) }
        notes = judgement.notes
    }

    /// Whether anything that is there, or should be, depends on this segment.
    package func needs(_ timeline: TimelineID, _ number: UInt64) -> Bool {
        needed[timeline]?.contains { $0.contains(number) } ?? false
    }

    /// The files of a needed range, in the order of WAL: of each segment the best form.
    package func files(_ timeline: TimelineID, _ range: ClosedRange<UInt64>) -> [(
        number: UInt64, file: ChainFacts.File
    )] {
        var last: SegmentName?
        return facts.files.compactMap { file in
            guard file.name.timeline == timeline, file.name != last,
                let number = file.name.number(size: facts.segmentSize), range.contains(number)
            else { return nil }
            last = file.name
            return (number, file)
        }
    }

    /// The number of bytes that a deep look has to read.
    package var neededBytes: UInt64 { best.reduce(0) { $0 &+ $1.bytes } }

    package var neededFiles: Int { best.count }

    /// The best form of each needed segment.
    private var best: [ChainFacts.File] {
        var last: SegmentName?
        return facts.files.filter { file in
            guard file.name != last, let number = file.name.number(size: facts.segmentSize),
                needs(file.name.timeline, number)
            else { return false }
            last = file.name
            return true
        }
    }

    /// In place of a record or page there may be nothing at all.
    package static func words(_ fault: ScanFault) -> String {
        fault.isEndOfWAL ? "zeros instead of WAL at \(fault.position)" : fault.description
    }

    package static func united(_ ranges: [ClosedRange<UInt64>]) -> [ClosedRange<UInt64>] {
        var result: [ClosedRange<UInt64>] = []
        for range in ranges.sorted(by: { $0.lowerBound < $1.lowerBound }) {
            if let last = result.last, range.lowerBound <= last.upperBound.addingReportingOverflow(1).partialValue {
                result[result.count - 1] = last.lowerBound...max(last.upperBound, range.upperBound)
            } else {
                result.append(range)
            }
        }
        return result
    }
}

/// The segments of one timeline, ascending, each once.
struct Shelf {
    var numbers: [UInt64] = []
    var files: [ChainFacts.File] = []
    /// The last one that is complete.
    var lastComplete: UInt64?
    /// The last one that is not plainly something else.
    var last: UInt64?

    static func sorted(_ facts: ChainFacts) -> [TimelineID: Shelf] {
        var shelves: [TimelineID: Shelf] = [:]
        for file in facts.files {
            guard let number = file.name.number(size: facts.segmentSize) else { continue }
            shelves[file.name.timeline, default: Shelf()].add(number, file, facts)
        }
        return shelves
    }

    private mutating func add(_ number: UInt64, _ file: ChainFacts.File, _ facts: ChainFacts) {
        guard numbers.last != number else { return }
        numbers.append(number)
        files.append(file)
        if file.isComplete { lastComplete = number }
        switch file.firstPage {
        case .bad where file.isComplete: break
        case .read(let identifier, _) where identifier != facts.systemIdentifier ?? identifier: break
        default: last = number
        }
    }

    /// The index of the first number that is not below `number`.
    func index(from number: UInt64) -> Int {
        var low = 0
        var high = numbers.count
        while low < high {
            let middle = (low + high) / 2
            if numbers[middle] < number { low = middle + 1 } else { high = middle }
        }
        return low
    }

    func file(_ number: UInt64) -> ChainFacts.File? {
        let index = index(from: number)
        return index < numbers.count && numbers[index] == number ? files[index] : nil
    }
}

/// Finds the timelines' ends that something can be recovered to.
struct TipBuilder {
    let facts: ChainFacts
    let shelves: [TimelineID: Shelf]

    private var size: SegmentSize { facts.segmentSize }

    func tips() -> [ChainPlan.Tip] {
        let timelines = Set(shelves.keys).union(facts.roots.map(\.timeline)).union(facts.reaches.keys)
        return timelines.sorted().compactMap(tip)
    }

    private func tip(_ timeline: TimelineID) -> ChainPlan.Tip? {
        let history = facts.histories[timeline]
        let path = TimelinePath(
            ancestors: (history?.ancestors ?? []).map { ($0.timeline, $0.end) },
            timeline: timeline
        )
        let roots = facts.roots.filter { root in
            path.contains(root.timeline)
                && path.timeline(at: LSN(max(root.consistent.rawValue, 1) - 1)) == root.timeline
        }
        guard let end = lastNumber(of: timeline, roots) else { return nil }
        let all = legs(of: path, last: end)
        let start: UInt64?
        if facts.roots.isEmpty {
            start = all.compactMap { leg in firstNumber(in: leg) }.min()
        } else {
            start = roots.map { size.number(of: $0.redo) }.min()
        }
        guard let start else { return nil }
        let legs = all.compactMap { leg -> ChainPlan.Leg? in
            guard leg.numbers.upperBound >= start else { return nil }
            return ChainPlan.Leg(
                timeline: leg.timeline,
                numbers: max(start, leg.numbers.lowerBound)...leg.numbers.upperBound
            )
        }
        guard !legs.isEmpty else { return nil }
        let byName = shelves[timeline].flatMap { shelf in
            shelf.lastComplete.map { size.start(of: $0).advanced(by: size.bytes) }
                ?? shelf.numbers.first.map { size.start(of: $0) }
        }
        let known = [byName, facts.reaches[timeline], roots.map(\.consistent).max()].compactMap(\.self).max()
        return ChainPlan.Tip(timeline: timeline, path: path, legs: legs, roots: roots, end: known ?? .invalid)
    }

    /// By what is there, and by what must be.
    private func lastNumber(of timeline: TimelineID, _ roots: [ChainFacts.Root]) -> UInt64? {
        let reach = ([facts.reaches[timeline]] + roots.filter { $0.timeline == timeline }.map(\.consistent))
            .compactMap(\.self).filter { $0.isValid }.map { size.number(of: LSN($0.rawValue - 1)) }.max()
        return [shelves[timeline]?.last ?? shelves[timeline]?.numbers.last, reach].compactMap(\.self).max()
    }

    private func legs(of path: TimelinePath, last: UInt64) -> [ChainPlan.Leg] {
        var first: UInt64 = 0
        return path.legs.compactMap { leg in
            defer { first = leg.end.map { size.number(of: $0) } ?? first }
            // The segment with the fork is read from the child, which has a copy of what came before.
            let next = leg.end.map { size.number(of: $0) } ?? last.addingReportingOverflow(1).partialValue
            guard next > first else { return nil }
            return ChainPlan.Leg(timeline: leg.timeline, numbers: first...(next - 1))
        }
    }

    private func firstNumber(in leg: ChainPlan.Leg) -> UInt64? {
        guard let shelf = shelves[leg.timeline] else { return nil }
        let index = shelf.index(from: leg.numbers.lowerBound)
        guard index < shelf.numbers.count, shelf.numbers[index] <= leg.numbers.upperBound else { return nil }
        return shelf.numbers[index]
    }
}
