import ArchiveModel
import Glibc
import Platform
import WALFormat

/// Where a survey reads from.
struct SurveySource: Sendable {
    let directory: WALDirectory
    let path: TimelinePath
    let expectation: SegmentScanner.Expectation

    /// The segment on the newest timeline of the path that has WAL in it.
    func name(of segment: UInt64) -> SegmentName {
        let last = LSN(directory.segmentSize.start(of: segment).rawValue &+ (directory.segmentSize.bytes &- 1))
        return SegmentName(timeline: path.timeline(at: last), number: segment, size: directory.segmentSize)
    }
}

/// What reading one piece came to.
struct SurveyedPiece: Sendable {
    let name: SegmentName
    var stored: StoredSegment?
    var scan: SurveyScan?
    /// Nil when nothing is wrong.
    var trouble: SurveyedSegment.Outcome?
    var openRecord: LSN?
    /// Of the last piece of a segment, where its records are not valid: the length, if that is wrong too.
    var wrongLength: UInt64?
}

/// Reads pieces, one after the other, with one buffer and at most one open file.
final class SurveyReading {
    private let source: SurveySource
    private let buffer: UnsafeMutableRawBufferPointer
    private var file: (segment: UInt64, reader: SegmentReader)?

    /// Half of a second-level cache of today: what was just read is there when it is scanned.
    private static let bufferBytes = 256 << 10

    init(_ source: SurveySource) {
        self.source = source
        buffer = .allocate(byteCount: Self.bufferBytes, alignment: 4096)
    }

    deinit { buffer.deallocate() }

    private var size: SegmentSize { source.directory.segmentSize }

    /// Reads a piece, and on to the end of the last record that begins in it.
    func read(_ piece: SurveyPieces.Piece, reusing memory: consuming SegmentSurvey?) -> SurveyedPiece {
        let name = source.name(of: piece.segment)
        var expectation = source.expectation
        expectation.timeline = name.timeline
        let scan = SurveyScan(
            name,
            from: piece.start,
            upTo: piece.limit,
            segmentSize: size,
            expectation: expectation,
            reusing: memory
        )
        return read(piece, name, scan)
    }

    /// Reads a piece again, from the end of the last record before it on.
    func read(_ piece: SurveyPieces.Piece, from border: SurveyState.Border) -> SurveyedPiece {
        let name = source.name(of: piece.segment)
        var expectation = source.expectation
        expectation.timeline = name.timeline
        let scan = SurveyScan(name, from: border, upTo: piece.limit, segmentSize: size, expectation: expectation)
        return read(piece, name, scan)
    }

    private func read(_ piece: SurveyPieces.Piece, _ name: SegmentName, _ scan: consuming SurveyScan) -> SurveyedPiece {
        var result = SurveyedPiece(name: name)
        do {
            // What cannot be opened is there all the same.
            result.stored = try source.directory.locate(name)
            guard let stored = try reader(of: piece.segment, at: scan.position)?.stored else {
                result.stored = nil
                result.trouble = .missing
                return result
            }
            result.stored = stored
            switch try follow(&scan, of: piece, wholeLength: stored.form.isComplete) {
            case .done: break
            case .wrongSize(let bytes): result.trouble = .wrongSize(bytes)
            case .otherMissing: result.openRecord = scan.openRecord
            case .ranOut where stored.form.isComplete:
                result.trouble = .wrongSize(try lengthFound(of: piece.segment))
            case .ranOut: result.trouble = .partial(nil)
            case .fault(let fault, let inComplete):
                if fault.position >= size.start(of: piece.segment &+ 1) {
                    result.openRecord = scan.openRecord
                } else if !stored.form.isComplete {
                    result.trouble = .partial(fault)
                } else if !inComplete {
                    // A record of a complete segment that goes on in a partial one, and is not all there yet.
                    result.openRecord = fault.position
                } else {
                    result.trouble = .damaged(fault)
                    if piece.limit == size.start(of: piece.segment &+ 1) {
                        result.wrongLength = try wrongSize(of: piece.segment)
                    }
                }
            }
        } catch {
            result.trouble = .unreadable(error)
            file = nil
        }
        result.scan = scan
        return result
    }

    private enum End {
        case done
        case fault(ScanFault, inComplete: Bool)
        case wrongSize(UInt64)
        /// The piece's own file ends before the piece does.
        case ranOut
        /// A later segment, in which the last record goes on, is not there, too short, or cannot be read.
        case otherMissing
    }

    private func follow(
        _ scan: inout SurveyScan,
        of piece: SurveyPieces.Piece,
        wholeLength: Bool
    ) throws -> End {
        var isComplete = true
        var end = End.done
        // Where the piece is the segment's last, its file must end as well.
        var isToBeMeasured = wholeLength && piece.limit == size.start(of: piece.segment &+ 1)
        while let wanted = scan.wanted {
            let number = size.number(of: wanted.position)
            if number > piece.segment, isToBeMeasured {
                isToBeMeasured = false
                if let bytes = try wrongSize(of: piece.segment) { end = .wrongSize(bytes) }
            }
            do {
                guard let reader = try reader(of: number, at: wanted.position) else {
                    return number > piece.segment ? .otherMissing : .ranOut
                }
                isComplete = reader.stored.form.isComplete
                scan.expect(reader.stored.name.timeline)
                let count = Int(clamping: min(UInt64(buffer.count), wanted.count))
                let part = UnsafeMutableRawBufferPointer(rebasing: buffer[..<count])
                let filled = try reader.read(into: part)
                guard filled > 0 else { return number > piece.segment ? .otherMissing : .ranOut }
                scan.consume(UnsafeRawBufferPointer(rebasing: part[..<filled]))
            } catch {
                guard number > piece.segment else { throw error }
                file = nil
                return .otherMissing
            }
        }
        if let fault = scan.fault { return .fault(fault, inComplete: isComplete) }
        if isToBeMeasured, let bytes = try wrongSize(of: piece.segment) { return .wrongSize(bytes) }
        return end
    }

    /// A reader whose next byte is that at `position`; nil when the archive does not have the segment.
    private func reader(of segment: UInt64, at position: LSN) throws -> SegmentReader? {
        if let file, file.segment == segment, file.reader.position <= position {
            try file.reader.skip(to: position)
            return file.reader
        }
        file = nil
        guard let reader = try source.directory.open(source.name(of: segment)) else { return nil }
        file = (segment, reader)
        try reader.skip(to: position)
        return reader
    }

    private func lengthFound(of segment: UInt64) throws -> UInt64 {
        guard let reader = file?.reader, file?.segment == segment else { return 0 }
        if reader.plainDescriptor != nil { return try reader.fileBytes() }
        return reader.position.bytes(since: size.start(of: segment))
    }

    /// The length of the segment being read, where it is not that of a segment.
    ///
    /// What is behind the last record has no meaning, but it must be there, and as the compression's checksum says.
    private func wrongSize(of segment: UInt64) throws -> UInt64? {
        guard let reader = file?.reader, file?.segment == segment else { return nil }
        if reader.plainDescriptor != nil {
            let bytes = try reader.fileBytes()
            return bytes == size.bytes ? nil : bytes
        }
        let end = size.start(of: segment &+ 1)
        while reader.position <= end {
            if try reader.read(into: buffer) == 0 { break }
        }
        return reader.position == end ? nil : reader.position.bytes(since: size.start(of: segment))
    }
}
