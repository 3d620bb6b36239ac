/// Bytes of WAL in, records out: checks each page header and each record's checksum (xlogreader.c is the model).
///
/// A value: a copy is a saved state, which goes on where it was taken. Bytes come in the order of their addresses, in
/// chunks of any size. It reads nothing and traps on nothing; the first fault ends it.
package struct SegmentScanner: Sendable {
    /// What the caller knows of the WAL; nil accepts any, the first page then decides.
    package struct Expectation: Hashable, Sendable {
        package var systemIdentifier: UInt64?
        /// The newest timeline that pages may be of; pages before its beginning are of its ancestors.
        package var timeline: TimelineID?
        package var major: PostgresMajor?

        package init(systemIdentifier: UInt64? = nil, timeline: TimelineID? = nil, major: PostgresMajor? = nil) {
            self.systemIdentifier = systemIdentifier
            self.timeline = timeline
            self.major = major
        }
    }

    package enum Verdict: Sendable {
        case proceed
        case stop
    }

    package typealias Visitor = (_ record: WALRecord, _ body: UnsafeRawBufferPointer) throws -> Verdict

    /// Where in the WAL's grammar the next byte stands; page headers come in between of all but the last.
    enum Phase {
        case betweenRecords
        /// In the rest of a record that began before the scanner's start.
        case continuation
        case header
        case body
        /// Between a record's last byte and the next multiple of 8.
        case padding
        /// After a segment switch.
        case segmentTail
    }

    package let segmentSize: SegmentSize
    /// The bodies of all records are handed out, not only of those that events come from.
    package var handsOutEveryBody = false
    /// May be changed between chunks, where the caller goes on to another timeline.
    package var expectation: Expectation
    /// The address of the next byte wanted; at a fault the start of the record or page with the fault.
    package internal(set) var position: LSN
    /// The end of the last complete, checked record, never beyond `position`; the start position before any record.
    ///
    /// After a segment switch it moves to the segment's end when that much was consumed.
    package internal(set) var recordEnd: LSN
    package internal(set) var lastRecordStart: LSN?
    package internal(set) var fault: ScanFault?
    /// A visitor said stop; nothing more is consumed.
    package internal(set) var stopped = false
    /// By the page headers so far, or as expected.
    package internal(set) var major: PostgresMajor?
    /// By the long page headers so far, or as expected.
    package internal(set) var systemIdentifier: UInt64?
    /// The timeline of the newest page so far.
    package internal(set) var pageTimeline: TimelineID?

    var phase = Phase.betweenRecords
    /// A page header that came in parts; and the open record's header.
    var pageBytes: (UInt64, UInt64, UInt64, UInt64, UInt64) = (0, 0, 0, 0, 0)
    var headerBytes: (UInt64, UInt64, UInt64) = (0, 0, 0)
    var headerFilled = 0
    var recordStart: LSN
    /// Bytes until this phase (continuation, body, padding) is over.
    var bytesLeft = 0
    var crc = CRC32C()
    var bodyIsWanted = false
    /// The open record's body so far, when it is wanted and comes in parts.
    var captured: [UInt8] = []

    /// Longer bodies are handed out only as far: enough for a transaction that drops 30,000 tables.
    package static let maxBodyBytes = 1 << 24

    /// A scanner for the bytes from `start` on.
    ///
    /// That is a segment's start (data which continues an earlier record is skipped), or where any record begins.
    package init(startingAt start: LSN, segmentSize: SegmentSize, expectation: Expectation = .init()) {
        self.segmentSize = segmentSize
        self.expectation = expectation
        self.position = start
        self.recordEnd = start
        self.recordStart = start
        self.major = expectation.major
        self.systemIdentifier = expectation.systemIdentifier
        let offset = Int(truncatingIfNeeded: start.rawValue & UInt64(PageHeader.pageSize - 1))
        if start.rawValue & 7 != 0 || offset != 0 && offset < headerSize {
            fault = ScanFault(.badStart, at: start)
        }
    }

    /// Where the record began of which only a part was consumed so far.
    package var openRecordStart: LSN? {
        switch phase {
        case .header, .body, .padding: recordStart
        case .betweenRecords, .continuation, .segmentTail: nil
        }
    }

    /// Goes on with the bytes that begin at `position`.
    ///
    /// `onRecord` gets each complete record; it must not touch the scanner. The body is the record after its 24-byte
    /// header for the resource managers that `RecordHeader.bodyIsWanted` names (beyond 1 MB only its beginning),
    /// otherwise empty, and valid during the call only. When it throws, the record counts as consumed.
    package mutating func consume(_ bytes: UnsafeRawBufferPointer, onRecord: Visitor) rethrows {
        guard let base = bytes.baseAddress else { return }
        var offset = 0
        while offset < bytes.count, fault == nil, !stopped {
            let rest = UnsafeRawBufferPointer(start: base + offset, count: bytes.count &- offset)
            offset &+= try step(rest, onRecord)
        }
    }

    package mutating func consume(_ bytes: UnsafeRawBufferPointer) {
        consume(bytes) { _, _ in .proceed }
    }

    /// A scanner for the bytes from `recordEnd` on, without the open record, fault or stop of this one.
    package func resumedAtRecordEnd() -> SegmentScanner {
        var next = SegmentScanner(startingAt: recordEnd, segmentSize: segmentSize, expectation: expectation)
        next.major = major
        next.systemIdentifier = systemIdentifier
        next.lastRecordStart = lastRecordStart
        next.handsOutEveryBody = handsOutEveryBody
        if phase == .segmentTail {
            next.phase = .segmentTail
        }
        return next
    }

    /// The size of the header of the page that holds `position`.
    @inline(__always)
    var headerSize: Int { PageHeader.size(at: position.rawValue, segmentSize: segmentSize.bytes) }

    /// Takes what can be taken at once, at least a byte unless there is a fault; the result is how many.
    @inline(__always)
    private mutating func step(_ bytes: UnsafeRawBufferPointer, _ onRecord: Visitor) rethrows -> Int {
        if phase == .segmentTail {
            return takeSegmentTail(bytes)
        }
        let pageOffset = Int(truncatingIfNeeded: position.rawValue & UInt64(PageHeader.pageSize - 1))
        if pageOffset < headerSize {
            return takePageHeader(bytes, pageOffset: pageOffset, size: headerSize)
        }
        let onPage = UnsafeRawBufferPointer(
            start: bytes.baseAddress,
            count: min(bytes.count, PageHeader.pageSize &- pageOffset)
        )
        switch phase {
        case .betweenRecords:
            let taken = try takeWholeRecords(onPage, onRecord)
            if taken > 0 || fault != nil {
                return taken
            }
            beginRecord()
            return try takeHeader(onPage, onRecord)
        case .header: return try takeHeader(onPage, onRecord)
        case .body: return try takeBody(onPage, onRecord)
        case .padding: return try takePadding(onPage, onRecord)
        case .continuation, .segmentTail: return takeContinuation(onPage)
        }
    }

    @inline(__always)
    mutating func advance(_ count: Int) {
        position = LSN(position.rawValue &+ UInt64(truncatingIfNeeded: count))
    }

    mutating func fail(_ kind: ScanFault.Kind, at place: LSN) {
        fault = ScanFault(kind, at: place)
        position = place
    }
}
