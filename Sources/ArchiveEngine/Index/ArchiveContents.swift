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
    /// The complete segments that are there.
    let present: PresentSegments

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
    ///   - say: is told of what a user should know, such as an index that was built anew.
    package static func use<Result>(
        _ container: Container,
        for work: String,
        progress: Progress = .silent,
        say: (String) -> Void,
        _ body: (ArchiveContents) throws -> Result
    ) throws -> Result {
        var isOpen = false
        do {
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
        return try ArchiveContents(container, index, present)
    }

    private init(_ container: Container, _ index: IndexDatabase, _ present: PresentSegments) throws {
        self.container = container
        self.index = index
        self.present = present
        let size = container.segmentSize
        // After indexing, these are all that the plan did not hold back.
        let rows = try index.numbers().mapValues { Set($0) }
        var wanted: [TimelineID: [(number: UInt64, isComplete: Bool)]] = [:]
        for (timeline, numbers) in present.complete {
            wanted[timeline] = numbers.filter { !(rows[timeline]?.contains($0) ?? false) }.map { ($0, true) }
        }
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

    /// Newest first, until the visitor says no; of all that there are, no more than a few are held at a time.
    func eachEvent(kinds: Set<String>, _ visit: (SurveyEvent) throws -> Bool) throws {
        // What may be there twice, or is not at its place among the rows, is few: it is put between them, each once.
        let apart = try index.inherited() + tail.flatMap(\.events)
        var rest = SurveyEvent.inOrder(apart.filter { kinds.contains($0.kind.name) })
        let isApart = Set(rest)
        var goesOn = true
        try index.eachEvent(kinds: kinds) { event in
            if isApart.contains(event) { return true }
            while goesOn, let next = rest.last, event.isBefore(next) {
                goesOn = try visit(next)
                rest.removeLast()
            }
            if goesOn { goesOn = try visit(event) }
            return goesOn
        }
        while goesOn, let next = rest.popLast() { goesOn = try visit(next) }
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
