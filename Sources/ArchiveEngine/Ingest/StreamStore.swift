internal import Glibc
internal import Platform
internal import WALFormat
internal import WALStore

/// Takes one stream's bytes: compares what is here already, checks pages and records, hands on the rest.
///
/// Belongs to the thread that reads the connection; `WALWriter` writes and makes durable what it has taken.
final class StreamStore {
    enum Outcome {
        case stored
        case damaged(String)
        /// The upstream's bytes at this address are not ours.
        case diverged(LSN)
    }

    let writer: WALWriter
    let timeline: TimelineID
    let segmentSize: SegmentSize
    private var scanner: SegmentScanner
    /// What is here of the bytes from `overlapStart` on, which the upstream sends once more.
    private let overlap: [UInt8]
    private let overlapStart: LSN
    /// Up to where bytes are checked and on their way to the file.
    private(set) var received: LSN
    /// The end of the last complete record among them.
    var recordEnd: LSN { scanner.recordEnd }
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
        files: WALWriter.FileSettings,
        changed: EventDescriptor
    ) throws {
        self.timeline = timeline
        self.scanner = scanner
        segmentSize = scanner.segmentSize
        overlapStart = request
        received = scanner.position
        overlap = try Self.stored(
            from: request,
            to: scanner.position,
            in: directory,
            timeline: timeline,
            segmentSize: scanner.segmentSize
        )
        let writer = try WALWriter(
            directory: directory,
            timeline: timeline,
            segmentSize: scanner.segmentSize,
            start: scanner.position,
            durable: durable,
            keepsRest: keepsRest,
            files: files,
            changed: changed
        )
        self.writer = writer
        thread = try OwnedThread.start(name: "wal-writer") { writer.run() }
    }

    /// What the partial segment holds of a range within it.
    private static func stored(
        from start: LSN,
        to end: LSN,
        in directory: String,
        timeline: TimelineID,
        segmentSize: SegmentSize
    ) throws -> [UInt8] {
        guard start < end, segmentSize.offset(of: end) > 0 else { return [] }
        let name = SegmentName(timeline: timeline, containing: end, size: segmentSize)
        let file = try Descriptor.open(FilePath.join(directory, "\(name).partial"), O_RDONLY | O_NOFOLLOW)
        let count = Int(end.bytes(since: start))
        let bytes = try file.bytes(at: Int64(segmentSize.offset(of: start)), count: count)
        guard bytes.count == count else {
            throw SystemError(call: "go on at \(end) in", errno: ENODATA, path: file.path)
        }
        return bytes
    }

    /// Ends the writing thread when all that is here is durable, or that has failed.
    func close() {
        writer.close()
        thread.join()
    }

    /// Takes the bytes that begin at `start`, which goes on where the last ones ended.
    func store(_ bytes: UnsafeRawBufferPointer, at start: LSN) -> Outcome {
        var rest = bytes
        if start < received {
            let known = Int(min(UInt64(bytes.count), received.bytes(since: start)))
            let from = Int(start.bytes(since: overlapStart))
            let ours = overlap.dropFirst(from).prefix(known)
            guard ours.elementsEqual(bytes.prefix(known)) else { return .diverged(start) }
            rest = UnsafeRawBufferPointer(rebasing: bytes.dropFirst(known))
        }
        while !rest.isEmpty {
            let part = UnsafeRawBufferPointer(rebasing: rest.prefix(WALBlock.room(at: received)))
            scanner.consume(part)
            if let fault = scanner.fault { return .damaged("the upstream's WAL fails its checks: \(fault)") }
            received = received.advanced(by: UInt64(part.count))
            writer.append(part, recordEnd: scanner.recordEnd, releasable: scanner.openRecordStart ?? received)
            rest = UnsafeRawBufferPointer(rebasing: rest.dropFirst(part.count))
        }
        return .stored
    }
}
