import WALFormat

/// What names, lengths, first pages and histories say against an archive.
struct ChainJudgement {
    let facts: ChainFacts
    let shelves: [TimelineID: Shelf]
    let tips: [ChainPlan.Tip]
    let needed: [TimelineID: [ClosedRange<UInt64>]]
    private(set) var breaks: [ChainBreak] = []
    private(set) var notes: [ChainNote] = []

    init(
        facts: ChainFacts,
        shelves: [TimelineID: Shelf],
        tips: [ChainPlan.Tip],
        needed: [TimelineID: [ClosedRange<UInt64>]]
    ) {
        self.facts = facts
        self.shelves = shelves
        self.tips = tips
        self.needed = needed
    }

    private var size: SegmentSize { facts.segmentSize }

    mutating func run() {
        for (timeline, ranges) in needed {
            for range in ranges { judgeRange(timeline, range) }
        }
        for timeline in shelves.keys.sorted() { judgeHistory(timeline) }
        for duplicate in facts.duplicates { judge(duplicate) }
        for name in facts.impossibleNames {
            notes.append(ChainNote(file: name, text: "no segment of \(size) can have this name"))
        }
        for name in facts.otherNames { notes.append(ChainNote(file: name, text: "not WAL")) }
    }

    private mutating func judgeRange(_ timeline: TimelineID, _ range: ClosedRange<UInt64>) {
        let shelf = shelves[timeline] ?? Shelf()
        var next = range.lowerBound
        var index = shelf.index(from: next)
        while index < shelf.numbers.count, shelf.numbers[index] <= range.upperBound {
            let number = shelf.numbers[index]
            if number > next { addMissing(timeline, next...(number - 1)) }
            judge(shelf.files[index], number, shelf)
            next = number + 1
            index += 1
        }
        if next <= range.upperBound { addMissing(timeline, next...range.upperBound) }
    }

    private mutating func addMissing(_ timeline: TimelineID, _ numbers: ClosedRange<UInt64>) {
        let first = SegmentName(timeline: timeline, number: numbers.lowerBound, size: size)
        let last = SegmentName(timeline: timeline, number: numbers.upperBound, size: size)
        let count = numbers.upperBound - numbers.lowerBound + 1
        breaks.append(
            ChainBreak(
                .missing,
                timeline: timeline,
                numbers: numbers,
                size: size,
                file: first.description,
                what: count == 1
                    ? "segment \(first) is missing" : "\(count) segments are missing: \(first) to \(last)"
            )
        )
    }

    private mutating func judge(_ file: ChainFacts.File, _ number: UInt64, _ shelf: Shelf) {
        guard let (kind, what) = fault(of: file, number, shelf) else { return }
        breaks.append(
            ChainBreak(
                kind,
                timeline: file.name.timeline,
                numbers: number...number,
                size: size,
                file: file.fileName,
                what: what
            )
        )
    }

    private func fault(of file: ChainFacts.File, _ number: UInt64, _ shelf: Shelf) -> (Finding.Kind, String)? {
        guard file.isComplete else { return partialFault(file, number, shelf) }
        if let content = file.contentBytes ?? (file.suffix.isEmpty ? file.bytes : nil), content != size.bytes {
            return (.wrongSize, "\(file.fileName) holds \(content) bytes instead of \(size.bytes)")
        }
        if file.bytes == 0 { return (.wrongSize, "\(file.fileName) is empty") }
        switch file.firstPage {
        case .unread: return nil
        case .unreadable(let why): return (.unreadable, "\(file.fileName) cannot be read: \(why)")
        case .bad(let fault):
            return (.damaged, "\(file.fileName): \(ChainPlan.words(fault))")
        case .read(let identifier, let timeline):
            if let wanted = facts.systemIdentifier, identifier != wanted {
                return (
                    .otherCluster,
                    "\(file.fileName) is WAL of the cluster with system identifier \(identifier), not \(wanted)"
                )
            }
            guard !isPossible(timeline, in: file.name, number) else { return nil }
            return (.otherTimeline, "\(file.fileName) holds WAL of timeline \(timeline)")
        }
    }

    /// The first page is of the segment's own timeline, unless that one began inside of the segment or later pages.
    private func isPossible(_ timeline: TimelineID, in name: SegmentName, _ number: UInt64) -> Bool {
        guard timeline <= name.timeline else { return false }
        guard let beginning = beginning(of: name.timeline) else {
            return timeline == name.timeline || name.timeline.rawValue > 1
        }
        return timeline == name.timeline || size.start(of: number) < beginning
    }

    private func beginning(of timeline: TimelineID) -> LSN? { facts.histories[timeline]?.parent?.end }

    private func partialFault(_ file: ChainFacts.File, _ number: UInt64, _ shelf: Shelf) -> (Finding.Kind, String)? {
        if file.bytes > size.bytes {
            return (.wrongSize, "\(file.fileName) has \(file.bytes) bytes, more than a segment of \(size.bytes)")
        }
        let isInside =
            number < shelf.lastComplete ?? 0
            || tips.contains { $0.timeline != file.name.timeline && holds($0, file.name.timeline, number) }
        // The last one is being received; before it only whole ones wait for their names, while a record spans them.
        if !isInside, number == shelf.numbers.last || file.bytes == size.bytes { return nil }
        return (.incomplete, "\(file.fileName) was never completed, though WAL goes on behind it")
    }

    private func holds(_ tip: ChainPlan.Tip, _ timeline: TimelineID, _ number: UInt64) -> Bool {
        tip.legs.contains { $0.timeline == timeline && $0.numbers.contains(number) }
    }

    private mutating func judge(_ duplicate: ChainFacts.Duplicate) {
        guard let number = duplicate.name.number(size: size) else { return }
        let files = duplicate.files.joined(separator: " and ")
        guard !duplicate.isEqual else {
            notes.append(ChainNote(file: duplicate.files.last ?? files, text: "\(files) have the same content"))
            return
        }
        breaks.append(
            ChainBreak(
                .differingDuplicate,
                timeline: duplicate.name.timeline,
                numbers: number...number,
                size: size,
                file: duplicate.files.last ?? files,
                what: "\(files) are one segment with different content"
            )
        )
    }

    // MARK: - Histories

    private mutating func judgeHistory(_ timeline: TimelineID) {
        guard let shelf = shelves[timeline], let first = shelf.numbers.first, let last = shelf.numbers.last else {
            return
        }
        func add(_ kind: Finding.Kind, _ what: String) {
            breaks.append(
                ChainBreak(
                    kind,
                    timeline: timeline,
                    numbers: first...last,
                    size: size,
                    file: timeline.historyFileName,
                    what: what
                )
            )
        }
        if let problem = facts.badHistories[timeline] {
            return add(.historyDamaged, "\(timeline.historyFileName) cannot be read: \(problem)")
        }
        guard let history = facts.histories[timeline] else {
            guard timeline.rawValue > 1 else { return }
            return add(.historyMissing, "\(timeline.historyFileName) is missing")
        }
        for ancestor in history.ancestors {
            guard let other = facts.histories[ancestor.timeline] else { continue }
            let ours = history.ancestors.filter { $0.timeline < ancestor.timeline }
            guard ours.map({ "\($0.timeline)@\($0.end)" }) != other.ancestors.map({ "\($0.timeline)@\($0.end)" })
            else { continue }
            add(
                .historyConflict,
                "\(timeline.historyFileName) and \(ancestor.timeline.historyFileName) tell different histories"
            )
            break
        }
        if let beginning = history.parent?.end, first < size.number(of: beginning) {
            let number = size.number(of: beginning)
            let before = shelf.numbers.prefix { $0 < number }
            for (index, number) in before.enumerated() {
                breaks.append(
                    ChainBreak(
                        .misplaced,
                        timeline: timeline,
                        numbers: number...number,
                        size: size,
                        file: shelf.files[index].fileName,
                        what:
                            "\(shelf.files[index].fileName) lies before \(beginning), where timeline \(timeline) began"
                    )
                )
            }
        }
    }
}
