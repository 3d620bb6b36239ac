import ArchiveModel
import Platform
import WALFormat
import WALStore

/// Keeps the index at the end of the durable WAL, on a thread of the supervisor.
///
/// Nothing waits for it, and nothing that protects data asks what it has done.
final class Indexer: Sendable {
    private let container: Container
    private let log: SupervisorLog
    private let ending: EventDescriptor

    private static let lookMilliseconds: Int32 = 2_000
    private static let namesSeconds = 10.0
    /// A whole look at the archive takes at most one part in so many of the time.
    private static let leisure = 20.0
    /// Others that want the index get it in between.
    private static let longestHoldSeconds = 5.0

    init(_ container: Container, log: SupervisorLog) throws(SystemError) {
        self.container = container
        self.log = log
        self.ending = try EventDescriptor()
    }

    func end() { ending.signal() }

    /// Who waits for the index has a moment to take it.
    private func pause() { _ = try? Poll.wait(for: ending.raw, timeoutMilliseconds: 30) }

    private var isEnding: Bool { (try? Poll.wait(for: ending.raw, timeoutMilliseconds: 0)) ?? true }

    func run() {
        var follow = Follow()
        while !isEnding {
            let begin = SystemClock.monotonicSeconds()
            var passed = begin
            do {
                // New segments first; then what has names is noted, for a while.
                let outcome = try pass()
                passed = SystemClock.monotonicSeconds()
                let isComplete = try outcome == .named || outcome == .read && note(until: passed + 2)
                follow.trouble = nil
                follow.isBehind = !isComplete
            } catch {
                passed = SystemClock.monotonicSeconds()
                follow.note("\(error)", log)
                IndexStatus.note(reason: "\(error)", container)
            }
            refreshNames(&follow)
            let took = passed - begin
            follow.wait(ending.raw, container, atLeastSeconds: min(took * Self.leisure, 60), Self.lookMilliseconds)
        }
    }

    private enum Outcome {
        /// Segments are left.
        case behind
        /// Names are left to be noted.
        case read
        case named
    }

    /// Reads what has come, and begins to note names.
    private func pass() throws -> Outcome {
        let began = SystemClock.monotonicSeconds()
        let indexing = Indexing(
            container,
            mayGoOn: { [self] in
                !isEnding && SystemClock.monotonicSeconds() - began < Self.longestHoldSeconds
            }
        )
        return try use(for: "indexing") { index in
            let present = try PresentSegments(container, index)
            let outcome = try indexing.run(index, indexing.plan(present), present)
            try IndexStatus.write(try index.end(size: container.segmentSize), container)
            guard outcome.isComplete else { return .behind }
            return try index.noteNames() ? .read : .named
        } ?? .behind
    }

    /// Notes which events have their names; whether nothing is left.
    private func note(until end: Double) throws -> Bool {
        while try use(for: "noting names", { try $0.noteNames() }) ?? false {
            guard SystemClock.monotonicSeconds() < end, !isEnding else { return false }
            pause()
        }
        return true
    }

    /// Nil where another process is at it for long: it does the same.
    private func use<Result>(for work: String, _ body: (IndexDatabase) throws -> Result) throws -> Result? {
        do {
            return try IndexFile(container).use(
                for: work,
                mayWait: { !isEnding },
                say: { log.line($0) },
                body
            )
        } catch let conflict as LockConflict where conflict.path == container.paths.indexLock {
            return nil
        }
    }

    /// The standby may be down or starting: then names stay as they are known.
    private func refreshNames(_ follow: inout Follow) {
        let begin = SystemClock.monotonicSeconds()
        guard begin >= follow.namesDue, !isEnding else { return }
        do {
            try NameRefresh(container: container, mayWait: { [self] in !isEnding }).run()
        } catch {
            follow.namesDue = begin + Self.namesSeconds
            return
        }
        let now = SystemClock.monotonicSeconds()
        follow.namesDue = now + max(Self.namesSeconds, (now - begin) * Self.leisure)
    }
}

/// What the indexer remembers from one round to the next.
private struct Follow {
    var trouble: String?
    var isBehind = false
    var namesDue = 0.0
    private var watch: FileWatch?

    /// Said once, not each time.
    mutating func note(_ trouble: String, _ log: SupervisorLog) {
        if trouble != self.trouble { log.line("the index does not go on: \(trouble)") }
        self.trouble = trouble
        isBehind = false
    }

    /// Until a file came to the archive, or for a while where none is told of.
    mutating func wait(_ ending: Int32, _ container: Container, atLeastSeconds: Double, _ milliseconds: Int32) {
        if isBehind {
            // Who waits for the index has a moment to take it.
            _ = try? Poll.wait(for: ending, timeoutMilliseconds: 30)
            return
        }
        if atLeastSeconds > 0.5 { _ = try? Poll.wait(for: ending, timeoutMilliseconds: Int32(atLeastSeconds * 1000)) }
        if watch == nil {
            watch = try? FileWatch()
            try? watch?.add(container.paths.walArchive, [.movedTo, .deleted])
        }
        _ = try? Poll.wait([PollItem(ending), PollItem(watch?.raw ?? -1)], timeoutMilliseconds: milliseconds)
        _ = try? watch?.read()
    }
}
