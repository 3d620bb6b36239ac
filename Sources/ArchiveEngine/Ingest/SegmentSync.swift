internal import Platform
internal import Synchronization
internal import WALFormat
internal import WALStore

/// Makes written WAL durable, on a thread of its own: a slow disk then delays neither reading nor replies.
///
/// It syncs segments in their order, gives the complete ones their names, and moves the durable position, which never
/// passes the end of the last complete, checked record. The first failure ends it; nothing is tried twice.
final class SegmentSync: Sendable {
    /// What the writing thread reads.
    struct Progress: Equatable {
        /// The end of the last complete record of which every byte is durable.
        var durable: LSN?
        /// Up to where bytes are durable.
        var synced: LSN
        /// Full segments that wait to be synced.
        var waitingSegments = 0
        var failure: Failure?
        /// It stands still for this reason, and goes on by itself.
        var stall: String?
    }

    enum Failure: Equatable {
        /// The segment's file can no longer be relied on.
        case unsynced(SegmentName, String, isFull: Bool)
        /// Another content has the segment's name already.
        case conflict(SegmentName, String)
        /// The directory could not be synced, or a complete segment not renamed.
        case directory(String)

        /// The segment that can no longer be relied on.
        var name: SegmentName? {
            if case .unsynced(let name, _, _) = self { name } else { nil }
        }
    }

    /// How many bytes the kernel is asked to begin to write out at a time.
    private static let writebackBytes: UInt64 = 1 << 20

    private struct Full {
        let writer: SegmentWriter
        /// The end of the last record within the segment.
        let recordEnd: LSN
    }

    private struct State {
        var progress: Progress
        var full: [Full] = []
        /// The end of the first synced segment that still lacks its name.
        var firstUnnamedEnd: LSN?
        var current: SegmentWriter?
        var written: LSN
        /// Up to where the current segment is being written out.
        var writtenBack: LSN
        var recordEnd: LSN
        /// Segments that end at or before it hold no part of a record that is still open.
        var releasable: LSN
        var hasNewNames = false
        var isWanted = false
        var isClosing = false

        mutating func raiseDurable(to position: LSN) {
            if position > progress.durable ?? .invalid { progress.durable = position }
        }

        /// Enough of the current segment is written to let the disk begin with it.
        var isWritebackDue: Bool {
            current != nil && written.bytes(since: max(writtenBack, progress.synced)) >= SegmentSync.writebackBytes
        }
    }

    private enum Work {
        case syncFull(Full, hasNewNames: Bool)
        case syncCurrent(SegmentWriter, written: LSN, recordEnd: LSN, hasNewNames: Bool)
        case writeBack(SegmentWriter, from: LSN, to: LSN)
        case name
        case wait
        case end
    }

    private let state: Mutex<State>
    private let wake: EventDescriptor
    private let changed: EventDescriptor
    private let directory: String
    private let syncs: Bool

    /// `changed` is signalled whenever `progress` has changed.
    init(
        directory: String,
        start: LSN,
        recordEnd: LSN,
        durable: LSN?,
        syncs: Bool,
        changed: EventDescriptor
    ) throws(SystemError) {
        self.directory = directory
        self.syncs = syncs
        self.changed = changed
        wake = try EventDescriptor()
        state = Mutex(
            State(
                progress: Progress(durable: durable, synced: start),
                written: start,
                writtenBack: start,
                recordEnd: recordEnd,
                releasable: start
            )
        )
    }

    var progress: Progress { state.withLock { $0.progress } }

    // MARK: - The writing thread

    /// A new file holds what comes next.
    func begin(_ writer: SegmentWriter) {
        state.withLock { state in
            state.current = writer
            state.hasNewNames = true
            state.writtenBack = state.written
        }
    }

    /// More is written; a position tells up to where, another the end of the last record checked within it.
    func advance(written: LSN, recordEnd: LSN, releasable: LSN) {
        let hasWork = state.withLock { state in
            state.written = written
            state.recordEnd = max(state.recordEnd, recordEnd)
            state.releasable = max(state.releasable, releasable)
            return state.isWritebackDue || state.firstUnnamedEnd.map { $0 <= releasable } ?? false
        }
        if hasWork { wake.signal() }
    }

    /// All of the current segment is written.
    func complete() {
        state.withLock { state in
            guard let writer = state.current else { return }
            state.full.append(Full(writer: writer, recordEnd: state.recordEnd))
            state.progress.waitingSegments = state.full.count
            state.current = nil
        }
        wake.signal()
    }

    /// Make durable what is written.
    func sync() {
        state.withLock { $0.isWanted = true }
        wake.signal()
    }

    /// Make all durable that is written, then end.
    func close() {
        state.withLock { $0.isClosing = true }
        wake.signal()
    }

    // MARK: - The syncing thread

    func run() {
        var unnamed: [FullSegment] = []
        while name(&unnamed) {
            switch nextWork() {
            case .syncFull(let full, let hasNewNames):
                guard sync(full.writer, hasNewNames: hasNewNames), let segment = segment(full.writer) else { return }
                unnamed.append(segment)
                publish { state in
                    state.full.removeFirst()
                    state.firstUnnamedEnd = unnamed.first?.end
                    state.progress.waitingSegments = state.full.count
                    state.progress.synced = max(state.progress.synced, full.writer.end)
                    state.raiseDurable(to: full.recordEnd)
                }
            case .syncCurrent(let writer, let written, let recordEnd, let hasNewNames):
                guard sync(writer, hasNewNames: hasNewNames) else { return }
                publish { state in
                    state.progress.synced = max(state.progress.synced, written)
                    state.raiseDurable(to: recordEnd)
                }
            case .writeBack(let writer, let start, let end):
                guard writeBack(writer, from: start, to: end) else { return }
            case .name:
                continue
            case .wait:
                _ = try? Poll.wait(for: wake.raw)
                wake.drain()
            case .end:
                return
            }
        }
    }

    private func nextWork() -> Work {
        state.withLock { state in
            if let full = state.full.first {
                defer { state.hasNewNames = false }
                return .syncFull(full, hasNewNames: state.hasNewNames)
            }
            // What is acknowledged next should have its name, where it can.
            if let end = state.firstUnnamedEnd, end <= state.releasable, !state.isClosing { return .name }
            if let writer = state.current, state.isWanted || state.isClosing, state.written > state.progress.synced {
                defer {
                    state.hasNewNames = false
                    state.isWanted = false
                }
                return .syncCurrent(
                    writer,
                    written: state.written,
                    recordEnd: state.recordEnd,
                    hasNewNames: state.hasNewNames
                )
            }
            state.isWanted = false
            if let writer = state.current, state.isWritebackDue, !state.isClosing {
                defer { state.writtenBack = state.written }
                return .writeBack(writer, from: max(state.writtenBack, state.progress.synced), to: state.written)
            }
            return state.isClosing ? .end : .wait
        }
    }

    private func sync(_ writer: SegmentWriter, hasNewNames: Bool) -> Bool {
        guard syncs else { return true }
        do throws(SystemError) {
            try writer.syncData()
        } catch {
            fail(.unsynced(writer.name, "\(error)", isFull: error.isFull))
            return false
        }
        guard hasNewNames else { return true }
        do {
            try DurableFile.syncDirectory(directory)
            return true
        } catch {
            fail(.directory("\(error)"))
            return false
        }
    }

    /// On this thread, since it waits where the disk has enough to do.
    private func writeBack(_ writer: SegmentWriter, from start: LSN, to end: LSN) -> Bool {
        guard syncs else { return true }
        do throws(SystemError) {
            try writer.startWriteback(at: writer.size.offset(of: start), count: end.bytes(since: start))
            return true
        } catch {
            fail(.unsynced(writer.name, "\(error)", isFull: error.isFull))
            return false
        }
    }

    private func segment(_ writer: SegmentWriter) -> FullSegment? {
        do throws(SystemError) {
            return try writer.full()
        } catch {
            fail(.directory("\(error)"))
            return nil
        }
    }

    /// Gives their names to the synced segments of which no record is open; false when that failed for good.
    private func name(_ unnamed: inout [FullSegment]) -> Bool {
        while let segment = unnamed.first {
            let (releasable, isClosing) = state.withLock { ($0.releasable, $0.isClosing) }
            guard segment.end <= releasable else { return true }
            do {
                try segment.finish()
            } catch let error as SystemError where error.isFull {
                // The rename itself may be tried again, unlike a sync.
                publish { $0.progress.stall = "\(error)" }
                if isClosing { return true }
                SystemClock.sleep(seconds: 1)
                continue
            } catch let error as StoreError {
                fail(.conflict(segment.name, "\(error)"))
                return false
            } catch {
                fail(.directory("\(error)"))
                return false
            }
            unnamed.removeFirst()
            let next = unnamed.first?.end
            publish { state in
                state.firstUnnamedEnd = next
                state.progress.stall = nil
            }
        }
        return true
    }

    private func publish(_ change: (inout State) -> Void) {
        let isNew = state.withLock { state in
            let before = state.progress
            change(&state)
            return state.progress != before
        }
        if isNew { changed.signal() }
    }

    private func fail(_ failure: Failure) {
        publish { $0.progress.failure = failure }
    }
}
