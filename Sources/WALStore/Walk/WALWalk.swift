package import ArchiveModel
package import WALFormat

/// How a walk over an archive's records ended.
package enum WalkEnd: Hashable, Sendable {
    /// The visitor said stop.
    case stopped
    /// All records up to the wanted position were visited.
    case reached
    /// The archive goes no further: `recordEnd` is the end of the last complete record, `position` that of the bytes
    /// looked at. A fault is what stands there in a partial segment, mostly zeros.
    case endOfArchive(recordEnd: LSN, position: LSN, fault: ScanFault?)
    /// This segment is not there, but later ones on the path are.
    case missing(SegmentName)
    /// A complete segment cannot be read as WAL from some place on.
    case corrupt(ScanFault, SegmentName)
}

/// Walks the records of an archive in order, across segments and timelines, in whatever form they are stored.
package struct WALWalk {
    package typealias End = WalkEnd

    private let directory: WALDirectory
    private let expectation: SegmentScanner.Expectation
    private let everyBody: Bool
    private let bringBack: (SegmentName) throws -> Bool

    package typealias Visitor = (
        _ record: WALRecord,
        _ timeline: TimelineID,
        _ body: UnsafeRawBufferPointer,
        _ major: PostgresMajor
    ) throws -> SegmentScanner.Verdict

    /// A walk over `directory`; the expected timeline is set by the path.
    ///
    /// With `everyBody` the visitor gets the bodies of all records, not only of those that events come from.
    ///
    /// - Parameter bringBack: asked once for each segment that is missing between others; true when it is there now.
    package init(
        _ directory: WALDirectory,
        expectation: SegmentScanner.Expectation = .init(),
        everyBody: Bool = false,
        bringBack: @escaping (SegmentName) throws -> Bool = { _ in false }
    ) {
        self.directory = directory
        self.expectation = expectation
        self.everyBody = everyBody
        self.bringBack = bringBack
    }

    /// Visits each record that begins at or after `from` and ends at or before `upTo`.
    ///
    /// - Parameters:
    ///   - from: where a record begins, or a segment's start.
    ///   - path: the timelines; a segment comes from the newest of them that it has WAL of.
    ///   - upTo: nil goes on to the archive's end, into the valid part of a partial segment.
    ///   - visit: gets the record's body as `SegmentScanner` hands it out, valid during the call only.
    /// - Returns: why it ended.
    /// - Throws: what `visit` throws, `SystemError` for a file that cannot be read, `StoreError.badCompression`.
    package func records(
        from: LSN,
        along path: TimelinePath,
        upTo: LSN? = nil,
        visit: Visitor
    ) throws -> WalkEnd {
        var scanner = SegmentScanner(
            startingAt: from,
            segmentSize: directory.segmentSize,
            expectation: expectation
        )
        scanner.handsOutEveryBody = everyBody
        var asked: SegmentName?
        while true {
            if let upTo, scanner.position >= upTo { return .reached }
            guard let piece = try nextPiece(at: scanner.position, path, upTo: upTo) else {
                let end = try endOrGap(scanner, path)
                guard case .missing(let name) = end, asked != name, try bringBack(name) else { return end }
                asked = name
                continue
            }
            scanner.expectation.timeline = piece.reader.stored.name.timeline
            try feed(&scanner, piece, path, visit)
            if scanner.stopped { return .stopped }
            if let fault = scanner.fault {
                guard piece.reader.stored.form.isComplete else { return .endOfArchive(scanner) }
                return .corrupt(fault, piece.reader.stored.name)
            }
            if scanner.position < piece.limit {
                // A complete segment that is shorter than a segment is damaged; a partial one just ends.
                guard piece.reader.stored.form.isComplete else { return .endOfArchive(scanner) }
                return .corrupt(ScanFault(.endOfWAL, at: scanner.position), piece.reader.stored.name)
            }
            if piece.isLast { return .endOfArchive(scanner) }
        }
    }

    /// A stored segment and how far it is to be read.
    private struct Piece {
        let reader: SegmentReader
        /// The end of what belongs to the path, or of what is wanted.
        let limit: LSN
        /// The path goes on, in this segment, on a timeline that the archive has nothing of yet.
        let isLast: Bool
    }

    private func nextPiece(at position: LSN, _ path: TimelinePath, upTo: LSN?) throws -> Piece? {
        let end = directory.segmentSize.segmentEnd(of: position)
        let wanted = min(end, upTo ?? end)
        // The newest timeline with WAL in what is wanted has the parents' WAL before it in its own copy.
        var limit = wanted
        while position < limit {
            let timeline = path.timeline(at: LSN(limit.rawValue &- 1))
            let name = SegmentName(timeline: timeline, containing: position, size: directory.segmentSize)
            if let reader = try directory.open(name) {
                return Piece(reader: reader, limit: limit, isLast: limit < wanted)
            }
            guard let beginning = path.beginning(of: timeline) else { return nil }
            limit = beginning
        }
        return nil
    }

    private func feed(
        _ scanner: inout SegmentScanner,
        _ piece: Piece,
        _ path: TimelinePath,
        _ visit: Visitor
    ) throws {
        let reader = piece.reader
        // An unknown magic number is the scanner's to report; no record comes before it does.
        let major = reader.major ?? .v15
        try reader.skip(to: scanner.position)
        try withSegmentBuffer { buffer in
            while scanner.position < piece.limit, scanner.fault == nil, !scanner.stopped {
                let count = min(UInt64(buffer.count), piece.limit.bytes(since: reader.position))
                let part = UnsafeMutableRawBufferPointer(rebasing: buffer[..<Int(count)])
                let filled = try reader.read(into: part)
                if filled == 0 { return }
                try scanner.consume(UnsafeRawBufferPointer(rebasing: part[..<filled])) { record, body in
                    try visit(record, path.timeline(at: record.start), body, major)
                }
            }
        }
    }

    private func endOrGap(_ scanner: SegmentScanner, _ path: TimelinePath) throws -> WalkEnd {
        let size = directory.segmentSize
        let timeline = path.timeline(at: scanner.position)
        let name = SegmentName(timeline: timeline, containing: scanner.position, size: size)
        let glance = try ArchiveGlance(directory.path)
        let isBeforeOthers = path.legs.contains { leg in
            guard leg.timeline >= timeline, let last = glance.lastNumber(of: leg.timeline, size: size) else {
                return false
            }
            return last > size.number(of: scanner.position)
        }
        return isBeforeOthers ? .missing(name) : .endOfArchive(scanner)
    }
}

extension WalkEnd {
    fileprivate static func endOfArchive(_ scanner: SegmentScanner) -> WalkEnd {
        .endOfArchive(recordEnd: scanner.recordEnd, position: scanner.position, fault: scanner.fault)
    }
}

extension TimelinePath {
    /// Where a timeline of the path begins: where its parent was left; nil for the first.
    func beginning(of timeline: TimelineID) -> LSN? {
        var before: LSN?
        for leg in legs {
            if leg.timeline == timeline { return before }
            before = leg.end
        }
        return nil
    }
}
