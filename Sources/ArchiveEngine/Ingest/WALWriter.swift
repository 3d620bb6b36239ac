internal import Platform
internal import Synchronization
internal import WALFormat
internal import WALStore

/// Writes checked WAL and makes it durable, on a thread of its own: no disk delays reading or replies.
///
/// It writes and syncs segments in their order, gives the complete ones their names, and moves the durable position,
/// which never passes the end of the last complete, checked record. It waits for room on a full disk. Any other
/// failure ends it: no sync is tried twice.
final class WALWriter: Sendable {
    /// What the reading thread looks at.
    struct Progress: Equatable {
        /// The end of the last complete record of which every byte is durable.
        var durable: LSN?
        var failure: Failure?
        /// It stands still for this reason, and goes on by itself.
        var stall: String?
        /// So much waits in memory that nothing more should be read.
        var isOverfull = false
    }

    enum Failure: Equatable {
        /// The segment's file can no longer be relied on.
        case unsynced(SegmentName, String, isFull: Bool)
        /// Another content has the segment's name already.
        case conflict(SegmentName, String)
        /// The directory could not be synced, a segment not opened or not renamed.
        case directory(String, isFull: Bool)
    }

    /// How much may wait in memory to be written: enough for the disk never to wait for the network.
    private static let unwrittenLimitBytes: UInt64 = 32 << 20
    private static let spareLimit = 8

    private struct State {
        var progress: Progress
        /// In their order; to the last one bytes are still added.
        var blocks: [WALBlock] = []
        /// Memory that has been used, and will be again.
        var spare: [WALBlock] = []
        var received: LSN
        var written: LSN
        /// Up to where it is to be written and synced before anything else.
        var goal: LSN?
        var isFlushWanted = false
        var isSyncWanted = false
        var isClosing = false

        /// The next block, if it is to be written now: a part of one only where somebody waits for it.
        mutating func takeBlock() -> WALBlock? {
            guard let block = blocks.first, block.isFull || isFlushWanted || isClosing || goal != nil else {
                return nil
            }
            return blocks.removeFirst()
        }

        mutating func setGoal() {
            guard goal == nil, isSyncWanted || isClosing else { return }
            // While much is coming in, whole blocks first: the rest is part of a whole one by then.
            let whole = LSN(received.rawValue - received.rawValue % WALBlock.capacity)
            isSyncWanted = whole > written && whole < received
            goal = isSyncWanted ? whole : received
        }
    }

    private enum Work {
        case write(WALBlock)
        case sync
        case wait
        case end
    }

    private let state: Mutex<State>
    private let wake: EventDescriptor
    private let changed: EventDescriptor
    private let directory: String
    private let timeline: TimelineID
    private let segmentSize: SegmentSize
    private let keepsRest: Bool
    private let settings: FileSettings

    /// How its files are.
    struct FileSettings {
        var syncs = true
        /// See `ReceiverOptions.isShared`.
        var isShared = false
        var mode: UInt32 = 0o600
        /// Gets the complete segments.
        var compressor: SegmentCompressor?
    }

    /// Goes on at `start`.
    ///
    /// With `keepsRest` what the first segment's file holds beyond it is copied before it is dropped. `changed` is
    /// signalled whenever `progress` has changed.
    init(
        directory: String,
        timeline: TimelineID,
        segmentSize: SegmentSize,
        start: LSN,
        durable: LSN?,
        keepsRest: Bool,
        files: FileSettings,
        changed: EventDescriptor
    ) throws(SystemError) {
        self.directory = directory
        self.timeline = timeline
        self.segmentSize = segmentSize
        self.keepsRest = keepsRest
        settings = files
        self.changed = changed
        wake = try EventDescriptor()
        state = Mutex(State(progress: Progress(durable: durable), received: start, written: start))
    }

    // MARK: - The reading thread

    var progress: Progress { state.withLock { $0.progress } }

    /// Up to where bytes are in the files.
    var written: LSN { state.withLock { $0.written } }

    /// Takes checked bytes which follow the last ones and do not cross the end of a block.
    ///
    /// `recordEnd` is the end of the last complete record up to theirs; segments that end at or before `releasable`
    /// hold no part of a record that is still open.
    func append(_ bytes: UnsafeRawBufferPointer, recordEnd: LSN, releasable: LSN) {
        let isBlockFull = state.withLock { state in
            let block: WALBlock
            if let last = state.blocks.last, last.end == state.received, !last.isFull {
                block = last
            } else {
                block = state.spare.popLast() ?? WALBlock()
                block.begin(at: state.received)
                state.blocks.append(block)
            }
            block.append(bytes, recordEnd: recordEnd, releasable: releasable)
            state.received = block.end
            state.progress.isOverfull =
                state.progress.isOverfull || state.received.bytes(since: state.written) > Self.unwrittenLimitBytes
            return block.isFull
        }
        if isBlockFull { wake.signal() }
    }

    /// Write all that is here: nothing follows at once.
    func flush() {
        let isNew = state.withLock { state in
            defer { state.isFlushWanted = true }
            return !state.isFlushWanted
        }
        if isNew { wake.signal() }
    }

    /// Make durable what is here.
    func sync() {
        state.withLock { $0.isSyncWanted = true }
        wake.signal()
    }

    /// Make durable what is here, as far as there is room for it, then end.
    func close() {
        state.withLock { $0.isClosing = true }
        wake.signal()
    }

    // MARK: - The writing thread

    /// What only the writing thread knows.
    private struct Files {
        var current: SegmentWriter?
        /// Full, synced segments without their names, of which a record may still be open.
        var unnamed: [FullSegment] = []
        var written: LSN
        var synced: LSN
        var recordEnd = LSN.invalid
        var releasable = LSN.invalid
        /// A name was added to the directory, which is not synced since.
        var hasNewNames = false
    }

    func run() {
        let start = state.withLock { $0.written }
        var files = Files(written: start, synced: start)
        while nameSegments(&files) {
            switch nextWork(files) {
            case .write(let block):
                guard write(block, &files) else { return }
            case .sync:
                guard sync(&files) else { return }
            case .wait:
                _ = try? Poll.wait(for: wake.raw)
                wake.drain()
            case .end:
                return
            }
        }
    }

    private func nextWork(_ files: Files) -> Work {
        state.withLock { state in
            state.setGoal()
            if let goal = state.goal, files.written >= goal {
                state.goal = nil
                if files.written > files.synced { return .sync }
                state.setGoal()
            }
            if let block = state.takeBlock() { return .write(block) }
            state.isFlushWanted = false
            return state.isClosing ? .end : .wait
        }
    }

    /// False when that failed for good.
    private func write(_ block: WALBlock, _ files: inout Files) -> Bool {
        while true {
            do throws(SystemError) {
                let writer = try writer(for: block, &files)
                do throws(SystemError) {
                    try writer.write(block)
                    break
                } catch {
                    guard error.isFull else {
                        fail(.unsynced(writer.name, "\(error)", isFull: false))
                        return false
                    }
                    throw error
                }
            } catch {
                guard error.isFull else {
                    fail(.directory("\(error)", isFull: false))
                    return false
                }
                // What is here already can be acknowledged: that may give upstream, on the same disk, its room.
                guard sync(&files), waitForRoom(error) else { return false }
            }
        }
        files.written = block.end
        files.recordEnd = max(files.recordEnd, block.recordEnd)
        files.releasable = max(files.releasable, block.releasable)
        publish { state in
            state.progress.stall = nil
            state.written = files.written
            let unwritten = state.received.bytes(since: state.written)
            if unwritten <= Self.unwrittenLimitBytes / 2 { state.progress.isOverfull = false }
            if state.spare.count < Self.spareLimit { state.spare.append(block) }
        }
        guard let writer = files.current, files.written == writer.end else { return true }
        return complete(writer, &files)
    }

    /// The segment that the block belongs to, opened where it is not yet.
    private func writer(for block: WALBlock, _ files: inout Files) throws(SystemError) -> SegmentWriter {
        if let writer = files.current { return writer }
        let writer = try SegmentWriter(
            directory: directory,
            name: SegmentName(timeline: timeline, containing: block.start, size: segmentSize),
            size: segmentSize,
            offset: segmentSize.offset(of: block.start),
            keepsRest: keepsRest,
            isPadded: settings.isShared,
            mode: settings.mode
        )
        files.current = writer
        files.hasNewNames = true
        return writer
    }

    /// Says so, and waits a while; false when this is to end.
    private func waitForRoom(_ error: SystemError) -> Bool {
        publish { $0.progress.stall = "\(error)" }
        if state.withLock({ $0.isClosing }) { return false }
        SystemClock.sleep(seconds: 1)
        return true
    }

    /// All of the segment is written.
    private func complete(_ writer: SegmentWriter, _ files: inout Files) -> Bool {
        guard sync(&files) else { return false }
        do throws(SystemError) {
            files.unnamed.append(try writer.full())
        } catch {
            fail(.directory("\(error)", isFull: error.isFull))
            return false
        }
        files.current = nil
        return true
    }

    /// Makes durable what is written; false when that failed.
    private func sync(_ files: inout Files) -> Bool {
        guard let writer = files.current, files.written > files.synced else { return true }
        if settings.syncs {
            do throws(SystemError) {
                try writer.syncData()
            } catch {
                fail(.unsynced(writer.name, "\(error)", isFull: error.isFull))
                return false
            }
            do throws(SystemError) {
                if files.hasNewNames { try DurableFile.syncDirectory(directory) }
            } catch {
                fail(.directory("\(error)", isFull: error.isFull))
                return false
            }
        }
        files.hasNewNames = false
        files.synced = files.written
        let recordEnd = files.recordEnd
        publish { state in
            if recordEnd > state.progress.durable ?? .invalid { state.progress.durable = recordEnd }
        }
        return true
    }

    /// Gives their names to the synced segments of which no record is open; false when that failed for good.
    private func nameSegments(_ files: inout Files) -> Bool {
        while let segment = files.unnamed.first, segment.end <= files.releasable || settings.isShared {
            do {
                try segment.finish()
            } catch let error as SystemError where error.isFull {
                // The rename itself may be tried again, unlike a sync.
                guard waitForRoom(error) else { return false }
                continue
            } catch let error as StoreError {
                fail(.conflict(segment.name, "\(error)"))
                return false
            } catch {
                fail(.directory("\(error)", isFull: false))
                return false
            }
            files.unnamed.removeFirst()
            publish { $0.progress.stall = nil }
            settings.compressor?.add(segment)
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
