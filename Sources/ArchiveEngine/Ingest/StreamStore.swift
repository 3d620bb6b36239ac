internal import Platform
internal import WALFormat
internal import WALStore

/// Takes one stream's bytes: compares what is here already, checks pages and records, writes the rest.
///
/// Belongs to the thread that reads the connection; `SegmentSync` makes durable what it has written.
final class StreamStore {
    enum Outcome {
        case stored
        /// Checked and kept in memory until there is room on the disk.
        case waitingForRoom(SystemError)
        case damaged(String)
        /// The upstream's bytes at this address are not ours.
        case diverged(LSN)
        /// Without a name when no file was touched.
        case failed(SegmentName?, SystemError)
    }

    let sync: SegmentSync
    let timeline: TimelineID
    private let directory: String
    private let keepsRest: Bool
    let segmentSize: SegmentSize
    private var scanner: SegmentScanner
    private var writer: SegmentWriter?
    /// What is here of the bytes from `overlapStart` on, which the upstream sends once more.
    private var overlap: [UInt8] = []
    private let overlapStart: LSN
    /// Up to where bytes are in the file.
    private(set) var written: LSN
    /// Bytes that follow `written` and wait for room; the first of them are checked.
    private var pending: [UInt8] = []
    private var pendingCheckedBytes = 0
    /// The end of the last complete record among what is written.
    private(set) var recordEnd: LSN
    private let thread: OwnedThread

    /// Begins with the upstream's bytes from `request`, at most a page before the scanner's position.
    ///
    /// At that position the first byte is to be written. With `keepsRest` what files hold beyond it is copied before
    /// it is dropped.
    ///
    /// - Throws: `SystemError`.
    init(
        directory: String,
        timeline: TimelineID,
        request: LSN,
        scanner: SegmentScanner,
        keepsRest: Bool,
        durable: LSN?,
        syncs: Bool,
        changed: EventDescriptor
    ) throws {
        self.directory = directory
        self.timeline = timeline
        self.scanner = scanner
        self.keepsRest = keepsRest
        segmentSize = scanner.segmentSize
        overlapStart = request
        written = scanner.position
        recordEnd = scanner.recordEnd
        let sync = try SegmentSync(
            directory: directory,
            start: scanner.position,
            recordEnd: scanner.recordEnd,
            durable: durable,
            syncs: syncs,
            changed: changed
        )
        self.sync = sync
        if segmentSize.offset(of: written) > 0 {
            let offset = segmentSize.offset(of: written)
            let name = SegmentName(timeline: timeline, containing: written, size: segmentSize)
            let writer = try SegmentWriter(
                directory: directory,
                name: name,
                size: segmentSize,
                offset: offset,
                keepsRest: keepsRest
            )
            overlap = try writer.bytes(
                at: segmentSize.offset(of: request),
                count: Int(written.bytes(since: request))
            )
            self.writer = writer
            sync.begin(writer)
        }
        thread = try OwnedThread.start(name: "wal-sync") { sync.run() }
    }

    /// Bytes that are written and not durable yet.
    var unsyncedBytes: UInt64 { written.bytes(since: sync.progress.synced) }

    /// Ends the syncing thread when all that is written is durable, or that has failed.
    func close() {
        sync.close()
        thread.join()
    }

    /// Takes the bytes that begin at `start`, which goes on where the last ones ended.
    func store(_ bytes: UnsafeRawBufferPointer, at start: LSN) -> Outcome {
        var rest = bytes
        if start < written, pending.isEmpty {
            let known = Int(min(UInt64(bytes.count), written.bytes(since: start)))
            let from = Int(start.bytes(since: overlapStart))
            let ours = overlap.dropFirst(from).prefix(known)
            guard ours.elementsEqual(bytes.prefix(known)) else { return .diverged(start) }
            rest = UnsafeRawBufferPointer(rebasing: bytes.dropFirst(known))
        }
        return process(rest, checkedBytes: 0)
    }

    /// Tries again to write what waits for room.
    func retry() -> Outcome {
        let bytes = pending
        pending = []
        return bytes.withUnsafeBytes { process($0, checkedBytes: pendingCheckedBytes) }
    }

    /// Checks and writes, segment by segment; `checkedBytes` have been through the scanner already.
    private func process(_ bytes: UnsafeRawBufferPointer, checkedBytes: Int) -> Outcome {
        var rest = bytes
        var checkedBytes = checkedBytes
        while !rest.isEmpty {
            let room = segmentSize.bytes - segmentSize.offset(of: written)
            let part = UnsafeRawBufferPointer(rebasing: rest.prefix(Int(min(room, UInt64(rest.count)))))
            if checkedBytes == 0 { scanner.consume(part) }
            if let fault = scanner.fault { return .damaged("the upstream's WAL fails its checks: \(fault)") }
            do throws(SystemError) {
                try write(part)
            } catch {
                guard error.isFull else { return .failed(writer?.name, error) }
                pending = Array(rest)
                pendingCheckedBytes = part.count
                return .waitingForRoom(error)
            }
            checkedBytes = 0
            rest = UnsafeRawBufferPointer(rebasing: rest.dropFirst(part.count))
        }
        return .stored
    }

    /// Writes bytes which do not cross the end of a segment.
    private func write(_ bytes: UnsafeRawBufferPointer) throws(SystemError) {
        let offset = segmentSize.offset(of: written)
        let writer = try currentWriter()
        try writer.write(bytes, at: offset)
        written = written.advanced(by: UInt64(bytes.count))
        let isFull = offset + UInt64(bytes.count) == segmentSize.bytes
        recordEnd = scanner.recordEnd
        sync.advance(written: written, recordEnd: recordEnd, releasable: scanner.openRecordStart ?? written)
        if isFull {
            sync.complete()
            self.writer = nil
        }
    }

    private func currentWriter() throws(SystemError) -> SegmentWriter {
        if let writer { return writer }
        let name = SegmentName(timeline: timeline, containing: written, size: segmentSize)
        let new = try SegmentWriter(
            directory: directory,
            name: name,
            size: segmentSize,
            offset: 0,
            keepsRest: keepsRest
        )
        writer = new
        sync.begin(new)
        return new
    }
}
