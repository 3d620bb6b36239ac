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
        do {
            return try IndexFile(container).use(for: work, say: say) { try body(read($0, container, progress)) }
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
        let plan = try Indexing(container).plan(index)
        let bytes = container.segmentSize.bytes
        let total = plan.segmentsToRead &* bytes
        if plan.segmentsToRead > 4 { progress.step("reading \(plan.segmentsToRead) segments that are not indexed yet") }
        let counter = ByteCounter()
        let indexing = Indexing(
            container,
            advanced: { read in
                if total > 4 &* bytes { progress.report(.bytes(done: counter.add(read &* bytes), total: total)) }
            }
        )
        _ = try indexing.run(index, plan)
        let present = try PresentSegments(container)
        return ArchiveContents(
            container: container,
            index: index,
            tail: try tail(index, present, container),
            present: present
        )
    }

    private static func tail(
        _ index: IndexDatabase,
        _ present: PresentSegments,
        _ container: Container
    ) throws -> [Tail] {
        let size = container.segmentSize
        let rows = try index.numbers().mapValues { Set($0) }
        var wanted: [TimelineID: [UInt64]] = [:]
        for (timeline, numbers) in present.complete {
            wanted[timeline] = numbers.filter { !(rows[timeline]?.contains($0) ?? false) }
        }
        for (timeline, numbers) in present.partial { wanted[timeline, default: []] += numbers }
        var tail: [Tail] = []
        for (timeline, numbers) in wanted.sorted(by: { $0.key < $1.key }) {
            let path = container.path(to: timeline)
            let survey = WALSurvey(container.walDirectory, along: path, expectation: container.expectation)
            var next: (number: UInt64, state: SurveyState)?
            for number in numbers.sorted() {
                var state = SurveyState()
                if let next, next.number == number {
                    state = next.state
                } else {
                    state = try index.survey(before: number, path, size: size)
                }
                let before = state.border?.end
                try survey.run(number...number, from: &state) { found in
                    // The parent's copy stands in where the timeline's own is not there.
                    guard found.name.timeline == timeline, let summary = found.summary else { return .stop }
                    let start = size.start(of: number)
                    let readable = summary.records > 0 ? summary.end : max(start, before ?? start)
                    tail.append(
                        Tail(
                            timeline: timeline,
                            number: number,
                            summary: summary,
                            events: found.events,
                            readable: readable
                        )
                    )
                    return .stop
                }
                next = (number &+ 1, state)
            }
        }
        return tail
    }

    /// Events of all that is there, in the order of WAL.
    package func events(kinds: Set<String>? = nil) throws -> [SurveyEvent] {
        let late = tail.flatMap(\.events).filter { kinds?.contains($0.kind.name) ?? true }
        return SurveyEvent.inOrder(try index.events(kinds: kinds) + late)
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
