import Platform
import WALFormat

/// Finds the record that a segment's end cuts in two, so that its second part can be checked with the first.
struct SegmentTail {
    let directory: WALDirectory
    let expectation: SegmentScanner.Expectation

    /// XLOG_BLCKSZ of all packaged servers; the scanner refuses any other.
    private static let pageBytes = 8192
    /// Beyond any record that names a path (MAXPGPATH is 1024).
    private static let pathRecordLimitBytes: UInt32 = 4096

    /// A scanner in the middle of the record that goes on in `segment`.
    ///
    /// Nil when none does, or the segment before is not there in a form worth reading: whoever has replayed that one
    /// got it from elsewhere, or begins with `segment`.
    /// - Parameters:
    ///   - segment: which follows.
    ///   - header: the first page's, of that segment.
    ///   - guardsTablespaces: a record that may name a path must be read, also from a compressed segment.
    /// - Returns: the scanner, to be fed with the segment from its first byte on.
    /// - Throws: `SystemError`, `StoreError` when the segment before cannot be read; `FetchTrouble` when it must be.
    func openRecord(
        before segment: FetchPlan.Segment,
        header: [UInt8],
        guardsTablespaces: Bool
    ) throws -> SegmentScanner? {
        let size = directory.segmentSize
        guard let first = PageStart(header), first.continuesRecord, segment.start.rawValue >= size.bytes else {
            return nil
        }
        let last = LSN(segment.start.rawValue - 1)
        // The first segment of a timeline follows one of its parent's.
        let timeline = try directory.history(segment.name.timeline)?.timeline(at: last) ?? segment.name.timeline
        let name = SegmentName(timeline: timeline, containing: last, size: size)
        guard let stored = try directory.locate(name) else { return nil }
        let mustBeRead = guardsTablespaces && first.remainingBytes <= Self.pathRecordLimitBytes
        if stored.form.isCompressed, !mustBeRead { return nil }
        var tail = try scan(name, tailBytes: 64 << 10, before: segment)
        if case .noRecordBegins = tail, !stored.form.isCompressed {
            // Most records are small; the second attempt finds all but the very large ones.
            tail = try scan(name, tailBytes: 4 << 20, before: segment)
        }
        switch tail {
        case .open(let scanner): return scanner
        case .noRecordBegins: return nil
        case .unreadable:
            // A partial one that is not whole has not been served to anybody.
            guard mustBeRead, stored.form.isComplete else { return nil }
            throw FetchTrouble(
                .corrupt,
                segment.name.description,
                "the record with which \(segment.name) begins cannot be read from \(name), and may name a path",
                hint: "put an intact copy of \(name) in its place; where replay begins after it, move it away"
            )
        }
    }

    private enum Tail {
        case open(SegmentScanner)
        /// All of it belongs to one record, larger than any that names a path.
        case noRecordBegins
        case unreadable
    }

    private func scan(_ name: SegmentName, tailBytes: UInt64, before segment: FetchPlan.Segment) throws -> Tail {
        guard let reader = try directory.open(name) else { return .unreadable }
        let length = min(tailBytes, directory.segmentSize.bytes)
        let from = LSN(segment.start.rawValue - length)
        try reader.skip(to: from)
        let tail = try SegmentBytes(reader, capacity: Int(length))
        guard tail.count == Int(length) else { return .unreadable }
        return tail.withBytes { bytes in
            guard let boundary = lastBoundary(bytes) else { return .noRecordBegins }
            var scanner = SegmentScanner(
                startingAt: from.advanced(by: UInt64(boundary)),
                segmentSize: directory.segmentSize,
                expectation: expectation
            )
            scanner.consume(UnsafeRawBufferPointer(rebasing: bytes[boundary...]))
            let isOpen = scanner.fault == nil && scanner.openRecordStart != nil && scanner.position == segment.start
            return isOpen ? .open(scanner) : .unreadable
        }
    }

    /// Where the first record of the last page begins in which one does.
    private func lastBoundary(_ bytes: UnsafeRawBufferPointer) -> Int? {
        let pages = bytes.count / Self.pageBytes
        for page in (0..<pages).reversed() {
            let start = page * Self.pageBytes
            guard let header = PageStart(bytes[start..<(start + SegmentReader.headerBytes)]) else { return nil }
            guard header.continuesRecord else { return start + header.byteCount }
            // Rounded up to 8 bytes, as each record begins at such an address.
            let remaining = (UInt64(header.remainingBytes) + 7) & ~7
            if remaining < UInt64(Self.pageBytes - header.byteCount) {
                return start + header.byteCount + Int(remaining)
            }
        }
        return nil
    }
}

/// The beginning of a WAL page: as much as is needed to find the first record in it (XLogPageHeaderData).
struct PageStart {
    let continuesRecord: Bool
    /// How much of the open record is still to come, on this page and the following ones.
    let remainingBytes: UInt32
    let byteCount: Int

    init?(_ bytes: some Collection<UInt8>) {
        let header = Array(bytes.prefix(SegmentReader.headerBytes))
        guard header.count == SegmentReader.headerBytes else { return nil }
        let info = UInt16(header[2]) | UInt16(header[3]) << 8
        // XLP_FIRST_IS_CONTRECORD and XLP_LONG_HEADER of xlog_internal.h.
        continuesRecord = info & 1 != 0
        byteCount = info & 2 != 0 ? 40 : 24
        remainingBytes = header[16..<20].reversed().reduce(UInt32(0)) { $0 << 8 | UInt32($1) }
    }
}
