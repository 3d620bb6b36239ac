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

    package let segmentSize: SegmentSize
    /// May be changed between chunks, where the caller goes on to another timeline.
    package var expectation: Expectation
    /// The address of the next byte wanted; at a fault the start of the record or page with the fault.
    package private(set) var position: LSN
    /// The end of the last complete, checked record, never beyond `position`; the start position before any record.
    ///
    /// After a segment switch it moves to the segment's end when that much was consumed.
    package private(set) var recordEnd: LSN
    package private(set) var fault: ScanFault?
    /// A visitor said stop; nothing more is consumed.
    package private(set) var stopped = false
    /// By the page headers so far, or as expected.
    package private(set) var major: PostgresMajor?
    package private(set) var lastRecordStart: LSN?

    /// A scanner for the bytes from `start` on.
    ///
    /// That is a segment's start (data which continues an earlier record is skipped), or where any record begins.
    package init(startingAt start: LSN, segmentSize: SegmentSize, expectation: Expectation = .init()) {
        self.segmentSize = segmentSize
        self.expectation = expectation
        self.position = start
        self.recordEnd = start
        self.major = expectation.major
    }

    /// Where the record began of which only a part was consumed so far.
    package var openRecordStart: LSN? { nil }

    /// Goes on with the bytes that begin at `position`.
    ///
    /// `onRecord` gets each complete record; it must not touch the scanner. The body is the record after its 24-byte
    /// header for the resource managers XLOG, Transaction, Database and Tablespace (beyond 1 MB only its beginning),
    /// otherwise empty, and valid during the call only.
    package mutating func consume(_ bytes: UnsafeRawBufferPointer, onRecord: Visitor) rethrows {
    }

    package mutating func consume(_ bytes: UnsafeRawBufferPointer) {
        consume(bytes) { _, _ in .proceed }
    }

    /// A scanner for the bytes from `recordEnd` on, without the open record, fault or stop of this one.
    package func resumedAtRecordEnd() -> SegmentScanner {
        SegmentScanner(startingAt: recordEnd, segmentSize: segmentSize, expectation: expectation)
    }
}
