internal import Glibc
internal import Platform
package import WALFormat

/// Where a WAL archive ends, found by reading its last segment: there is no other record of it.
package struct ArchiveTail: Sendable {
    /// The newest timeline with any segment.
    package let timeline: TimelineID
    /// The end of the last complete, checked record; all before it is durable.
    package let recordEnd: LSN
    /// Whether anything lies before `recordEnd` here; if not, there is nothing to be acknowledged yet.
    package let isKnown: Bool
    /// Where the next byte is to be written.
    package let resume: LSN
    /// Where to ask from: `resume`, or a little before, so that the upstream's bytes can be compared with ours.
    package let request: LSN
    /// Goes on with the byte at `resume`.
    package let scanner: SegmentScanner
    /// The end of the last complete segment: before it some may be missing.
    package let completeEnd: LSN
    /// Where the first segment is missing among those of the timeline; nil when none is.
    package let firstHole: LSN?
    /// Segments that could not be synced and were set aside, by their new paths.
    package let setAside: [String]
    /// Segments that were complete by their names only, and are partial ones now.
    package let torn: [SegmentName]
    /// Whether what follows `resume` in the file may be more than the beginning of a record: it is kept.
    package let keepsRest: Bool
    /// The first fault in what was read, other than that it ends; for the log.
    package let fault: ScanFault?

    /// Syncs the last segment, reads it, and decides where its valid part ends.
    ///
    /// Only the receiver, which holds the archive's lock, may do that: files that cannot be synced are set aside. The
    /// answer is nil for an archive without any segment; `syncs` is false only for an archive that is never synced.
    /// With `hole` it is where the archive ends before that segment.
    ///
    /// - Throws: `SystemError`, `StoreError`.
    package static func find(
        directory: String,
        segmentSize: SegmentSize,
        systemIdentifier: UInt64? = nil,
        syncs: Bool = true,
        hole: SegmentName? = nil
    ) throws -> ArchiveTail? {
        var hole = hole
        var setAside: [String] = []
        var torn: [SegmentName] = []
        let expectation = SegmentScanner.Expectation(systemIdentifier: systemIdentifier, timeline: nil)
        while true {
            var files = try FileTree.list(directory)
            let names = files.compactMap { ArchiveFileName($0) }
            if names.contains(where: { $0.form.map { $0.isCompressed && !$0.isComplete } ?? false }) {
                let archive = WALDirectory(directory, segmentSize: segmentSize)
                try CompressedPartials(archive: archive).expand(names)
                files = try FileTree.list(directory)
            }
            let ending = ArchiveEnding(
                files.compactMap { ArchiveFileName($0) },
                suspects: files.compactMap { SuspectFile.segment(of: $0) },
                hole: hole,
                segmentSize: segmentSize
            )
            guard let ending else { return nil }
            if syncs, let path = try sync(ending, in: directory, setsAside: setAside.isEmpty) {
                setAside.append(path)
                continue
            }
            let archive = WALDirectory(directory, segmentSize: segmentSize)
            let reading = try Reading(ending, in: archive, expectation: expectation)
            if let name = reading.torn {
                try reopen(name, in: directory)
                torn.append(name)
                if hole != nil { hole = name }
                continue
            }
            // Killed between the last write and the rename: whole, checked, synced, and only the name is missing.
            for name in ending.partials {
                guard let segment = try FullSegment(name, in: archive), segment.end <= reading.wholeEnd else { break }
                try segment.finish()
            }
            StraySegments(archive, expectation: expectation).finish(ending.strays)
            for name in ending.doubles { try? archive.removeDouble(name) }
            return ArchiveTail(ending, reading, segmentSize: segmentSize, setAside: setAside, torn: torn)
        }
    }

    /// Makes durable what is read next, and sees to it that it is read from the disk.
    ///
    /// A partial segment that cannot be synced is set aside: one only, since a disk that fails for others too is
    /// rather to be waited for. A complete one was synced before it got its name, and stays.
    /// - Returns: the new path of a segment that was set aside; nil when all is well.
    private static func sync(
        _ ending: ArchiveEnding,
        in directory: String,
        setsAside: Bool
    ) throws(SystemError) -> String? {
        // Another program may have written it.
        if let complete = ending.complete { try open("\(complete)", in: directory)?.syncForReading() }
        for name in ending.partials {
            guard let file = try open("\(name).partial", in: directory) else { continue }
            do throws(SystemError) {
                try file.syncForReading()
            } catch {
                guard setsAside else { throw error }
                return try SegmentWriter.setAside(directory: directory, name: name, isFull: error.isFull)
            }
        }
        try DurableFile.syncDirectory(directory)
        return nil
    }

    /// Nil when it is not there: compressed, or removed since.
    ///
    /// Any other error says nothing of what the file holds.
    private static func open(_ file: String, in directory: String) throws(SystemError) -> Descriptor? {
        do throws(SystemError) {
            return try Descriptor.open(FilePath.join(directory, file), O_RDONLY)
        } catch {
            guard error.isNotFound else { throw error }
            return nil
        }
    }

    /// Makes a complete segment a partial one again, since it is torn; where there is one, that is the better.
    private static func reopen(_ name: SegmentName, in directory: String) throws(SystemError) {
        let path = FilePath.join(directory, "\(name)")
        do throws(SystemError) {
            try DurableFile.renameNew(path, "\(path).partial")
        } catch {
            guard error.isTaken else { throw error }
            _ = try SuspectFile.keep(path, as: "\(path).partial")
        }
    }

    private init(
        _ ending: ArchiveEnding,
        _ reading: Reading,
        segmentSize: SegmentSize,
        setAside: [String],
        torn: [SegmentName]
    ) {
        let scanner = reading.scanner
        let goOn: SegmentScanner
        if scanner.fault == nil, scanner.openRecordStart == nil {
            // At a record's end, or in the empty rest of a switched segment.
            goOn = scanner
        } else if scanner.recordEnd <= ending.partialsStart {
            // No record ends in a partial segment yet: all of them again.
            goOn = reading.atPartials
        } else {
            // The beginning of the record that is cut may be torn: it is fetched again, a few bytes.
            goOn = scanner.resumedAtRecordEnd()
        }
        var request = goOn.position
        if request > ending.partialsStart, request == scanner.recordEnd {
            // The page before, within the segment, to be compared with what upstream has there.
            let page = LSN((request.rawValue - 1) & ~8191)
            request = max(page, segmentSize.segmentStart(of: request))
        }
        timeline = ending.timeline
        recordEnd = scanner.recordEnd
        isKnown = ending.complete != nil || scanner.recordEnd > ending.partialsStart
        resume = goOn.position
        completeEnd = ending.partialsStart
        firstHole = ending.firstHole
        self.request = request
        self.scanner = goOn
        self.setAside = setAside
        self.torn = torn
        keepsRest = scanner.fault != nil && !reading.isCut
        fault = reading.fault
    }
}

/// The last complete segment and the partial ones after it, read.
private struct Reading {
    private(set) var scanner: SegmentScanner
    /// The scanner before the first partial segment.
    let atPartials: SegmentScanner
    /// The first fault, other than that the partial segments end.
    private(set) var fault: ScanFault?
    /// The complete segment, when it was never written to its end.
    private(set) var torn: SegmentName?
    /// After the last complete record there is nothing but the beginning of one, and zeros.
    private(set) var isCut = false

    init(_ ending: ArchiveEnding, in archive: WALDirectory, expectation: SegmentScanner.Expectation) throws {
        var expectation = expectation
        expectation.timeline = ending.timeline
        let size = archive.segmentSize
        var scanner = SegmentScanner(
            startingAt: ending.partialsStart,
            segmentSize: size,
            expectation: expectation
        )
        // The last complete segment, for a record that spans into the next one and for the link between records.
        if let complete = ending.complete, let start = complete.start(size: size) {
            var carried = SegmentScanner(startingAt: start, segmentSize: size, expectation: expectation)
            let form = try Self.consume(complete, in: archive, into: &carried)
            if carried.fault == nil, carried.position == ending.partialsStart {
                scanner = carried
            } else {
                fault = carried.fault ?? ScanFault(.endOfWAL, at: carried.position)
                if form == .plain, try Self.isTorn(complete, in: archive, expectation: expectation) { torn = complete }
            }
        }
        atPartials = scanner
        self.scanner = scanner
        if torn != nil { return }
        for name in ending.partials where self.scanner.fault == nil {
            let path = FilePath.join(archive.path, "\(name).partial")
            var cut = self.scanner
            let bytes = try Self.consume(path, limit: size.bytes, into: &self.scanner)
            if self.scanner.fault != nil {
                // As it would be without the zeros with which a file may be padded.
                _ = try Self.consume(path, limit: Self.contentBytes(path).withoutZeros, into: &cut)
                isCut = cut.fault == nil
            }
            guard bytes == size.bytes else { break }
        }
        if let found = self.scanner.fault, !found.isEndOfWAL { fault = fault ?? found }
    }

    /// Segments that end there or before are whole, with no part of a record that is still open.
    var wholeEnd: LSN {
        min(scanner.position, scanner.fault == nil ? scanner.openRecordStart ?? scanner.position : scanner.recordEnd)
    }

    /// Whether a complete segment is too short, or is right up to the zeros at its end.
    private static func isTorn(
        _ name: SegmentName,
        in archive: WALDirectory,
        expectation: SegmentScanner.Expectation
    ) throws(SystemError) -> Bool {
        let path = FilePath.join(archive.path, "\(name)")
        let length = try contentBytes(path)
        guard length.whole >= archive.segmentSize.bytes, let start = name.start(size: archive.segmentSize) else {
            return true
        }
        var scanner = SegmentScanner(
            startingAt: start,
            segmentSize: archive.segmentSize,
            expectation: expectation
        )
        let end = min(length.withoutZeros, archive.segmentSize.bytes)
        _ = try consume(path, limit: end, into: &scanner)
        return scanner.fault == nil && end < archive.segmentSize.bytes
    }

    private static func contentBytes(_ path: String) throws(SystemError) -> (whole: UInt64, withoutZeros: UInt64) {
        let file = try Descriptor.open(path, O_RDONLY)
        let whole = UInt64(max(0, try file.size()))
        var end = whole
        while end > 0 {
            let start = end - min(end, 1 << 20)
            let bytes = try file.bytes(at: Int64(start), count: Int(end - start))
            if let last = bytes.lastIndex(where: { $0 != 0 }) { return (whole, start + UInt64(last) + 1) }
            end = start
        }
        return (whole, 0)
    }

    /// Feeds a complete segment, and says in what form it is; one that cannot be read counts as absent.
    private static func consume(
        _ name: SegmentName,
        in directory: WALDirectory,
        into scanner: inout SegmentScanner
    ) throws -> StoredSegment.Form? {
        do {
            guard let reader = try directory.open(name, completeOnly: true) else { return nil }
            try scanner.consume(all: reader)
            return reader.stored.form
        } catch is StoreError {
            return nil
        } catch let error as SystemError where error.errno == EIO {
            return nil
        }
    }

    /// Feeds a partial segment's file; how many bytes it has, 0 when it is not there.
    private static func consume(
        _ path: String,
        limit: UInt64,
        into scanner: inout SegmentScanner
    ) throws(SystemError) -> UInt64 {
        let file: Descriptor
        do throws(SystemError) {
            file = try Descriptor.open(path, O_RDONLY)
        } catch {
            if error.isNotFound { return 0 }
            throw error
        }
        var offset: UInt64 = 0
        while offset < limit, scanner.fault == nil {
            let bytes = try file.bytes(at: Int64(offset), count: Int(min(1 << 20, limit - offset)))
            if bytes.isEmpty { break }
            bytes.withUnsafeBytes { scanner.consume($0) }
            offset += UInt64(bytes.count)
        }
        return offset
    }
}

extension Descriptor {
    /// Syncs the file; what is read next comes from the disk.
    ///
    /// After a sync that failed before, for whoever wrote it, the page cache shows what the disk may not have, and
    /// another sync is content.
    func syncForReading() throws(SystemError) {
        try FaultPoint.pass("tail.sync")
        try sync()
        // Advice: some filesystems take none.
        try? dropCache()
    }
}

extension SegmentScanner {
    /// Feeds all of a segment.
    mutating func consume(all reader: SegmentReader) throws {
        var buffer = [UInt8](repeating: 0, count: 1 << 20)
        while fault == nil {
            let count = try buffer.withUnsafeMutableBytes { try reader.read(into: $0) }
            if count == 0 { return }
            buffer.withUnsafeBytes { consume(UnsafeRawBufferPointer(rebasing: $0[..<count])) }
        }
    }
}
