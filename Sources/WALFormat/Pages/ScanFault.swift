/// The first thing in WAL that the scanner could not accept.
package struct ScanFault: Hashable, Sendable, CustomStringConvertible {
    package enum Kind: Hashable, Sendable {
        /// Zeros where a record or a page should begin: the end of what was written, not damage
        /// (inside of a segment that should be complete it is damage all the same).
        case endOfWAL
        /// The scanner was to start where no record can begin.
        case badStart
        case badPageMagic(UInt16)
        /// Flags, block size or header length that no server writes.
        case badPageHeader
        /// The page says that it belongs elsewhere.
        case badPageAddress(LSN)
        case badTimeline(TimelineID)
        case badSystemIdentifier(UInt64)
        case badSegmentSize(UInt32)
        case badRecordLength(UInt32)
        case badResourceManager(UInt8)
        /// The record's link to the one before it is wrong.
        case badPrevious(LSN)
        /// A page does not go on with the record that is open, or goes on with one that is not.
        case badContinuation(remaining: UInt32)
        case badCRC
    }

    package let kind: Kind
    /// The start of the record or page with the fault.
    package let position: LSN

    package init(_ kind: Kind, at position: LSN) {
        self.kind = kind
        self.position = position
    }

    /// The same as `position`.
    package var at: LSN { position }

    package var isEndOfWAL: Bool { kind == .endOfWAL }

    package var description: String {
        switch kind {
        case .endOfWAL: "end of WAL at \(position)"
        case .badStart: "no record can begin at \(position)"
        case .badPageMagic(let magic): "page \(position) has the magic number \(hexadecimal(UInt64(magic), width: 4))"
        case .badPageHeader: "page \(position) has an invalid header"
        case .badPageAddress(let found): "page \(position) says that it is page \(found)"
        case .badTimeline(let found): "page \(position) is of timeline \(found)"
        case .badSystemIdentifier(let found): "page \(position) is of the cluster with system identifier \(found)"
        case .badSegmentSize(let found): "page \(position) is of a cluster with segments of \(found) bytes"
        case .badRecordLength(let found): "record \(position) has the impossible length \(found)"
        case .badResourceManager(let found): "record \(position) has the impossible resource manager \(found)"
        case .badPrevious(let found): "record \(position) follows \(found), which is not the record before it"
        case .badContinuation(let found): "page \(position) continues a record with \(found) bytes, which does not fit"
        case .badCRC: "record \(position) has a wrong checksum"
        }
    }
}
