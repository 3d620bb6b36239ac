import ArchiveModel
import Platform
import WALFormat
import WALStore

/// Reads segments in the order of WAL, checks each page and record across their borders, and goes on behind damage.
///
/// With one segment in memory only where there is damage.
final class ChainWalk {
    private let directory: WALDirectory
    private let plan: ChainPlan
    private let major: PostgresMajor?
    private var reading = ChainReading()
    /// What a child's first segment goes on from, by its timeline.
    private var inherited: [TimelineID: (scanner: SegmentScanner, lastCommit: PostgresTime?)] = [:]
    /// The last commit of the timeline that is being read.
    private var lastCommit: PostgresTime?
    /// Interruptions whose end, or first commit behind, has not been seen yet.
    private var withoutEnd: [Int] = []
    private var withoutCommit: [Int] = []

    private var size: SegmentSize { plan.facts.segmentSize }
    private static let pageSize: UInt64 = 8192

    init(
        _ directory: WALDirectory,
        _ plan: ChainPlan,
        major: PostgresMajor? = nil
    ) {
        self.directory = directory
        self.plan = plan
        self.major = major
    }

    func run(_ ranges: [TimelineID: [ClosedRange<UInt64>]]) throws -> ChainReading {
        for timeline in ranges.keys.sorted() {
            for range in ranges[timeline] ?? [] { try walk(timeline, range) }
        }
        return reading
    }

    private func walk(_ timeline: TimelineID, _ range: ClosedRange<UInt64>) throws {
        let files = plan.files(timeline, range)
        let children = plan.tips.flatMap(\.legs).filter { $0.timeline > timeline }
        var next = range.lowerBound
        let parent = inherited.removeValue(forKey: timeline).flatMap {
            $0.scanner.position == size.start(of: next) ? $0 : nil
        }
        var scanner = parent?.scanner
        lastCommit = parent?.lastCommit
        withoutEnd = []
        withoutCommit = []
        for (number, file) in files {
            if number != next {
                endAt(scanner, timeline, next...(number - 1), nil)
                scanner = nil
            }
            next = number + 1
            let isTail = number == files.last?.number && !file.isComplete
            scanner = try segment(file.name, number, from: scanner, isTail: isTail)
            if let scanner {
                reading.ends[timeline] = scanner.recordEnd
                for child in children where child.numbers.lowerBound == next {
                    inherited[child.timeline] = (scanner, lastCommit)
                }
            }
        }
        if next <= range.upperBound, let scanner { endAt(scanner, timeline, next...range.upperBound, nil) }
    }

    private enum Look {
        case whole
        /// The end of a segment that is being received.
        case tail
        case fault(Finding.Kind, String)
        case vanished
    }

    /// Reads one segment from where the one before it left off; nil when its end could not be read.
    private func segment(
        _ name: SegmentName,
        _ number: UInt64,
        from before: SegmentScanner?,
        isTail: Bool
    ) throws -> SegmentScanner? {
        let start = size.start(of: number)
        let first = before.flatMap { $0.position == start ? $0 : nil } ?? fresh(start, name.timeline)
        var scanner = first
        scanner.expectation.timeline = name.timeline
        var look = try read(name, &scanner, isTail: isTail)
        reading.segments += 1
        if case .fault = look {
            // Once more from the file that has the name now: it may have been compressed or completed meanwhile.
            scanner = first
            scanner.expectation.timeline = name.timeline
            look = try read(name, &scanner, isTail: isTail)
        }
        switch look {
        case .whole: return scanner
        case .vanished: return nil
        case .tail:
            try checkReach(name, number, scanner)
            return scanner
        case .fault(let kind, let what):
            let numbers = suspects(scanner, number)
            endAt(scanner, name.timeline, numbers, (kind, file(name), what))
            // Only a segment's first page says which cluster it is of.
            guard kind != .otherCluster else { return nil }
            return resume(name, number, behind: scanner.position, tryItself: numbers.count > 1)
        }
    }

    /// A record that began in an earlier segment fails where it ends; the damage may be in any of its segments.
    private func suspects(_ scanner: SegmentScanner, _ number: UInt64) -> ClosedRange<UInt64> {
        switch scanner.fault?.kind {
        case .badCRC, .badContinuation, .badRecordLength:
            min(number, size.number(of: scanner.recordEnd))...number
        default: number...number
        }
    }

    private func file(_ name: SegmentName) -> String {
        (try? directory.locate(name))?.flatMap { $0.fileName } ?? name.description
    }

    private func fresh(_ position: LSN, _ timeline: TimelineID) -> SegmentScanner {
        SegmentScanner(
            startingAt: position,
            segmentSize: size,
            expectation: .init(systemIdentifier: plan.facts.systemIdentifier, timeline: timeline, major: major)
        )
    }

    private func read(_ name: SegmentName, _ scanner: inout SegmentScanner, isTail: Bool) throws -> Look {
        let end = size.segmentEnd(of: scanner.position)
        do {
            guard let reader = try directory.open(name) else { return .vanished }
            let file = reader.stored.fileName
            let isComplete = reader.stored.form.isComplete
            try withBuffer { buffer in
                while scanner.position < end, scanner.fault == nil {
                    let room = Int(min(UInt64(buffer.count), end.bytes(since: reader.position)))
                    let count = try reader.read(into: UnsafeMutableRawBufferPointer(rebasing: buffer[..<room]))
                    if count == 0 { return }
                    feed(&scanner, UnsafeRawBufferPointer(rebasing: buffer[..<count]), reader.major)
                }
            }
            if let fault = scanner.fault {
                if !isComplete, isTail { return .tail }
                return .fault(Self.kind(fault), "\(file): \(ChainPlan.words(fault))")
            }
            guard scanner.position < end else { return .whole }
            if !isComplete, isTail { return .tail }
            return .fault(.wrongSize, "\(file) ends at \(scanner.position)")
        } catch let error as StoreError {
            return .fault(.unreadable, "\(error)")
        } catch let error as SystemError {
            if error.isNotFound { return .vanished }
            return .fault(.unreadable, "\(error)")
        }
    }

    private static func kind(_ fault: ScanFault) -> Finding.Kind {
        switch fault.kind {
        case .badSystemIdentifier: .otherCluster
        case .badTimeline: .otherTimeline
        default: .damaged
        }
    }

    private func feed(_ scanner: inout SegmentScanner, _ bytes: UnsafeRawBufferPointer, _ major: PostgresMajor?) {
        let timeline = scanner.expectation.timeline ?? TimelineID(1)
        scanner.consume(bytes) { record, body in
            if !withoutEnd.isEmpty { close(at: record.start) }
            if record.resourceManager == ResourceManager.transaction, let time = Self.commitTime(record, body, major) {
                note(time, timeline)
            }
            return .proceed
        }
    }

    private static func commitTime(
        _ record: WALRecord,
        _ body: UnsafeRawBufferPointer,
        _ major: PostgresMajor?
    ) -> PostgresTime? {
        // COMMIT and COMMIT PREPARED (xact.h).
        guard record.info & 0x70 == 0x00 || record.info & 0x70 == 0x30 else { return nil }
        guard case .commit(let end)? = WALEvent.decode(record, body: body, major: major ?? .v15) else { return nil }
        return end.time
    }

    private func note(_ time: PostgresTime, _ timeline: TimelineID) {
        lastCommit = time
        reading.lastCommits[timeline] = time
        if reading.firstCommits[timeline] == nil { reading.firstCommits[timeline] = time }
        for index in withoutCommit { reading.interruptions[index].place.firstAfter = time }
        withoutCommit = []
    }

    private func close(at position: LSN) {
        for index in withoutEnd { reading.interruptions[index].place.to = position }
        withoutEnd = []
    }

    /// Notes that records end here; where they go on is filled in when that is seen.
    private func endAt(
        _ scanner: SegmentScanner?,
        _ timeline: TimelineID,
        _ numbers: ClosedRange<UInt64>,
        _ fault: (kind: Finding.Kind, file: String, what: String)?
    ) {
        let name = SegmentName(timeline: timeline, number: numbers.lowerBound, size: size).description
        let all = numbers.count > 1 ? "; it begins in segment \(name), so that either may be damaged" : ""
        var place = ChainBreak(
            fault?.kind ?? .missing,
            timeline: timeline,
            numbers: numbers,
            size: size,
            file: fault?.file ?? name,
            what: fault.map { $0.what + all } ?? "segment \(name) is missing"
        )
        if let scanner, scanner.recordEnd < place.from || fault != nil { place.from = scanner.recordEnd }
        place.lastBefore = lastCommit
        reading.interruptions.append(.init(place, isFault: fault != nil))
        withoutEnd.append(reading.interruptions.count - 1)
        withoutCommit.append(reading.interruptions.count - 1)
    }

    /// Of what was acknowledged nothing may be missing, in the segment that is being received neither.
    private func checkReach(_ name: SegmentName, _ number: UInt64, _ scanner: SegmentScanner) throws {
        guard let reach = plan.facts.reaches[name.timeline], scanner.recordEnd < reach,
            size.number(of: LSN(reach.rawValue - 1)) == number
        else { return }
        // It may have been completed since it was opened.
        var again = fresh(size.start(of: number), name.timeline)
        _ = try read(name, &again, isTail: true)
        guard again.recordEnd < reach else { return }
        let file = file(name)
        var place = ChainBreak(
            .endsEarly,
            timeline: name.timeline,
            numbers: number...number,
            size: size,
            file: file,
            what: "\(file) can be read up to \(again.recordEnd), though WAL up to \(reach) was acknowledged"
        )
        place.from = again.recordEnd
        place.to = reach
        place.lastBefore = lastCommit
        reading.interruptions.append(.init(place, isFault: true))
    }

    // MARK: - Behind damage

    /// Looks for the next page behind `position`, in the same segment, from which records can be read again.
    private func resume(
        _ name: SegmentName,
        _ number: UInt64,
        behind position: LSN,
        tryItself: Bool
    ) -> SegmentScanner? {
        let space = UnsafeMutableRawBufferPointer.allocate(byteCount: Int(size.bytes), alignment: 4096)
        defer { space.deallocate() }
        guard let (filled, major) = content(of: name, into: space) else { return nil }
        let bytes = UnsafeRawBufferPointer(rebasing: space[..<filled])
        let start = size.start(of: number)
        var page = LSN(position.rawValue & ~(Self.pageSize - 1)).advanced(by: Self.pageSize)
        // What began before this segment may have been damaged there.
        if tryItself { page = start }
        // Pages that look right and are not could make this long: a few times the segment is enough.
        var budget = size.bytes &* 8
        while page.bytes(since: start) < UInt64(filled), budget > 0 {
            let rest = UnsafeRawBufferPointer(rebasing: bytes[Int(page.bytes(since: start))...])
            var probe = fresh(page, name.timeline)
            var isRecord = false
            probe.consume(rest) { _, _ in
                isRecord = true
                return .stop
            }
            budget -= min(budget, probe.position.bytes(since: page) &+ Self.pageSize)
            guard isRecord else {
                page = page.advanced(by: Self.pageSize)
                continue
            }
            var scanner = fresh(page, name.timeline)
            feed(&scanner, rest, major)
            guard let fault = scanner.fault else {
                guard scanner.position == size.segmentEnd(of: start) else { return nil }
                return scanner
            }
            let what = "\(file(name)): \(ChainPlan.words(fault))"
            endAt(scanner, name.timeline, number...number, (Self.kind(fault), file(name), what))
            page = LSN(scanner.position.rawValue & ~(Self.pageSize - 1)).advanced(by: Self.pageSize)
        }
        return nil
    }

    /// All that can be had of a segment.
    private func content(
        of name: SegmentName,
        into space: UnsafeMutableRawBufferPointer
    ) -> (bytes: Int, major: PostgresMajor?)? {
        guard let reader = (try? directory.open(name)) ?? nil else { return nil }
        var filled = 0
        while filled < space.count {
            let piece = UnsafeMutableRawBufferPointer(rebasing: space[filled..<min(space.count, filled + 1 << 18)])
            guard let count = try? reader.read(into: piece), count > 0 else { break }
            filled += count
        }
        return (filled, reader.major)
    }
}

private func withBuffer<Result>(_ body: (UnsafeMutableRawBufferPointer) throws -> Result) rethrows -> Result {
    try withUnsafeTemporaryAllocation(byteCount: 256 << 10, alignment: 4096, body)
}
