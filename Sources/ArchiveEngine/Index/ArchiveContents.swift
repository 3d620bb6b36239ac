import ArchiveModel
import Platform
package import WALFormat
import Synchronization
import WALStore

/// What the WAL archive holds: the index brought up to it, and what is not in it yet, read for the moment.
///
/// Where there is no index to be had, one is made in memory: the same answers, slower.
package struct ArchiveContents {
    package let container: Container
    package let index: IndexDatabase
    /// Segments without a row: partial ones, and the last complete one while its last record is not whole.
    package let tail: [Tail]
    /// The segments that are there.
    let present: Present

    struct Present {
        /// Without those that lie before their timeline's beginning.
        var complete: [TimelineID: [UInt64]]
        var partial: [TimelineID: [UInt64]]
        var histories: [TimelineID]
    }

    package struct Tail: Sendable {
        package var timeline: TimelineID
        package var number: UInt64
        package var summary: SegmentSummary
        package var events: [SurveyEvent]
        /// The end of the last record that is whole.
        package var readable: LSN
        /// Why a complete segment cannot be read to its end.
        package var damage: String?

        fileprivate init(_ name: SegmentName, _ number: UInt64, _ summary: SegmentSummary) {
            timeline = name.timeline
            self.number = number
            self.summary = summary
            events = []
            readable = summary.end
        }
    }

    /// - Parameters:
    ///   - glance: no file is looked at that the index knows, while the supervisor does so.
    ///   - say: is told of what a user should know, such as an index that was built anew.
    package static func use<Result>(
        _ container: Container,
        for work: String,
        glance: Bool = false,
        progress: Progress = .silent,
        say: (String) -> Void,
        _ body: (ArchiveContents) throws -> Result
    ) throws -> Result {
        var isOpen = false
        do {
            do {
                // Most of the time it is enough to look, and nobody is waited for.
                let look = { (index: IndexDatabase) throws -> Result? in
                    isOpen = true
                    return try Self.glance(index, container).map(body)
                }
                if glance, let found = try IndexFile(container).look(look) { return found }
            } catch let error as SQLiteError where error.isDamage && error.path == container.paths.index {
                // Who works on it puts it away.
            }
            isOpen = false
            return try IndexFile(container).use(for: work, say: say) { index in
                isOpen = true
                return try body(read(index, container, progress))
            }
        } catch let error as SystemError where !isOpen {
            say("the index cannot be used, so the WAL archive is read: \(error)")
        } catch let error as SQLiteError where error.path == container.paths.index {
            say("the index cannot be used, so the WAL archive is read: \(error)")
        } catch let conflict as LockConflict where conflict.path == container.paths.indexLock {
            say("the index is in use, so the WAL archive is read: \(conflict)")
        }
        return try body(read(try IndexDatabase(":memory:"), container, progress))
    }

    private static func read(
        _ index: IndexDatabase,
        _ container: Container,
        _ progress: Progress
    ) throws -> ArchiveContents {
        let bytes = container.segmentSize.bytes
        let present = try PresentSegments(container, index)
        let plan = Indexing(container).plan(present)
        let total = plan.segmentsToRead &* bytes
        if plan.segmentsToRead > 4 { progress.step("reading \(plan.segmentsToRead) segments that are not indexed yet") }
        let counter = ByteCounter()
        let indexing = Indexing(
            container,
            advanced: { read in
                if total > 4 &* bytes { progress.report(.bytes(done: counter.add(read &* bytes), total: total)) }
            }
        )
        _ = try indexing.run(index, plan, present)
        let numbers = Present(complete: present.complete, partial: present.partial, histories: present.histories)
        // After indexing, these are all that the plan did not hold back.
        return try ArchiveContents(container, index, numbers, unindexed: unindexed(numbers, try index.runs()))
    }

    /// By the names of files alone, where the index has all of them but the newest few; nil where that is not enough.
    ///
    /// The supervisor compares the index with the files themselves every few seconds.
    private static func glance(_ index: IndexDatabase, _ container: Container) throws -> ArchiveContents? {
        guard try HeldLock.isHeld(container.paths.supervisorLock) != nil, let status = IndexStatus.read(container),
            status.reason == nil
        else { return nil }
        let names = try container.walDirectory.names()
        var present = Present(complete: names.complete, partial: names.partial, histories: [])
        let size = container.segmentSize
        for (timeline, numbers) in present.complete {
            guard let beginning = (try? container.path(to: timeline))?.legs.dropLast().last?.end else { continue }
            present.complete[timeline] = Array(numbers.drop { $0 < size.number(of: beginning) })
        }
        let fewest = 2
        let runs = try index.runs()
        let unindexed = unindexed(present, runs)
        guard unindexed.values.reduce(0, { $0 + $1.count }) <= fewest,
            runs.allSatisfy({ timeline, runs in
                // None is gone.
                let rows = runs.reduce(0) { $0 + $1.count }
                return rows + (unindexed[timeline]?.count ?? 0) == present.complete[timeline]?.count ?? 0
            })
        else { return nil }
        return try ArchiveContents(container, index, present, unindexed: unindexed)
    }

    /// The complete segments that have no row.
    private static func unindexed(
        _ present: Present,
        _ runs: [TimelineID: [ClosedRange<UInt64>]]
    ) -> [TimelineID: [UInt64]] {
        var unindexed: [TimelineID: [UInt64]] = [:]
        for (timeline, numbers) in present.complete {
            // Both are in order.
            var runs = (runs[timeline] ?? [])[...]
            let rest = numbers.filter { number in
                runs = runs.drop { $0.upperBound < number }
                return runs.first.map { number < $0.lowerBound } ?? true
            }
            if !rest.isEmpty { unindexed[timeline] = rest }
        }
        return unindexed
    }

    private init(
        _ container: Container,
        _ index: IndexDatabase,
        _ present: Present,
        unindexed: [TimelineID: [UInt64]]
    ) throws {
        self.container = container
        self.index = index
        self.present = present
        let size = container.segmentSize
        var wanted: [TimelineID: [(number: UInt64, isComplete: Bool)]] = [:]
        for (timeline, numbers) in unindexed { wanted[timeline] = numbers.map { ($0, true) } }
        for (timeline, numbers) in present.partial { wanted[timeline, default: []] += numbers.map { ($0, false) } }
        var tail: [Tail] = []
        for (timeline, segments) in wanted.sorted(by: { $0.key < $1.key }) {
            let path = try container.path(to: timeline)
            let survey = WALSurvey(container.walDirectory, along: path, expectation: container.expectation)
            var next: (number: UInt64, state: SurveyState)?
            for (number, isComplete) in segments.sorted(by: { $0.number < $1.number }) {
                var state = SurveyState()
                if let next, next.number == number {
                    state = next.state
                } else {
                    state = try index.survey(before: number, path, container)
                }
                let before = state.border?.end
                // What is there is never readable until it was read.
                let name = SegmentName(timeline: timeline, number: number, size: size)
                var found = Tail(name, number, SegmentSummary(segment: name, end: size.start(of: number)))
                found.damage = "it could not be read"
                var isFound = isComplete
                try survey.run(number...number, from: &state) { segment in
                    // The parent's copy stands in where the timeline's own is not there.
                    guard segment.name == name, let summary = segment.summary else { return .stop }
                    isFound = true
                    found.summary = summary
                    found.events = segment.events
                    found.readable = summary.records > 0 ? summary.end : max(size.start(of: number), before ?? .invalid)
                    found.damage = isComplete ? try IndexedSegment(segment, container)?.fault?.what : nil
                    return .stop
                }
                if isFound { tail.append(found) }
                next = (number &+ 1, state)
            }
        }
        self.tail = tail
    }

    /// Events of all that is there, in the order of WAL.
    package func events(kinds: Set<String>? = nil) throws -> [SurveyEvent] {
        let late = tail.flatMap(\.events).filter { kinds?.contains($0.kind.name) ?? true }
        return SurveyEvent.inOrder(try index.events(kinds: kinds) + late)
    }

    /// WAL behind a record in which the time of one without is looked for.
    static let outlookBytes: UInt64 = 64 << 20

    /// Newest first, until the visitor says no; of all that there are, no more than a few are held at a time.
    ///
    /// It may be more than the filter wants; what it cannot want is not read.
    ///
    /// - Returns: those that may be wanted too, were not visited, and have no names.
    func eachEvent(_ filter: EventFilter, _ visit: (SurveyEvent) throws -> Bool) throws -> [UnnamedEvent] {
        let kinds = filter.wantedKinds
        let inherited = try index.inherited()
        // What may be there twice, or is not at its place among the rows, is few: it is put between them, each once.
        let apart = inherited.map(\.event) + tail.flatMap(\.events)
        var rest = SurveyEvent.inOrder(apart.filter { kinds.contains($0.kind.name) })
        let isApart = Set(rest)
        /// Where the visitor said no.
        var last: SurveyEvent?
        func give(_ event: SurveyEvent) throws {
            if try !visit(event) { last = event }
        }
        func step(_ event: SurveyEvent) throws -> Bool {
            if isApart.contains(event) { return true }
            while last == nil, let next = rest.last, event.isBefore(next) {
                try give(next)
                rest.removeLast()
            }
            if last == nil { try give(event) }
            return last == nil
        }
        let since = try filter.since.map { try index.positions(since: $0, size: container.segmentSize) }
        let places = try places(filter)
        if let places {
            for place in places.wanted.sorted(by: { $1.isBefore($0) }) {
                guard kinds.contains(place.kind),
                    place.start >= since.map({ $0[place.timeline] ?? LSN(.max) }) ?? .invalid,
                    let event = try index.event(at: place)
                else { continue }
                guard try step(event) else { break }
            }
        } else {
            try index.eachEvent(kinds: kinds, since: since, step)
        }
        while last == nil, let next = rest.popLast() { try give(next) }
        let visited = Set(inherited.flatMap { [UnnamedEvent($0.event), UnnamedEvent($0.event, in: $0.timeline)] })
        return (places?.unnamed ?? []).map { UnnamedEvent($0) }
            .filter { event in !visited.contains(event) && last.map { UnnamedEvent($0).isBefore(event) } ?? true }
    }

    /// The rows that may be wanted, where these can be found without looking at all; those without names by themselves.
    private func places(_ filter: EventFilter) throws -> (wanted: Set<EventPlace>, unnamed: Set<EventPlace>)? {
        if let id = filter.transactionID { return (Set(try index.places(ofTransaction: id)), []) }
        let kinds = filter.wantedKinds
        var wanted: Set<EventPlace> = []
        if let table = filter.table.map(EventFilter.folded) {
            var names = try index.names(like: table)
            for partition in filter.partitions {
                names += try index.names(
                    "database = ? AND relation = ?",
                    [SQLiteValue(partition.database), SQLiteValue(partition.relation)]
                )
            }
            wanted = Set(try index.places(of: names, kinds: kinds))
        } else if filter.isUnnamed {
            for kind in kinds { wanted.formUnion(try index.places(.due, kind) + index.places(.cut, kind)) }
        } else {
            return nil
        }
        let unnamed = Set(try kinds.flatMap { try index.places(.unknown, $0) })
        // When they were must be known.
        if filter.since != nil || filter.until != nil { return (wanted.union(unnamed), []) }
        return (wanted, unnamed.subtracting(wanted))
    }

    /// Those that begin at a position, on whatever timeline.
    func events(at position: LSN) throws -> [SurveyEvent] {
        let late = tail.flatMap(\.events).filter { $0.start == position }
        return SurveyEvent.inOrder(try index.events(at: position) + late)
    }
}

/// A sum that the thread that reads counts up.
final class ByteCounter: Sendable {
    private let sum = Mutex<UInt64>(0)

    func add(_ value: UInt64) -> UInt64 {
        sum.withLock {
            $0 &+= value
            return $0
        }
    }
}
