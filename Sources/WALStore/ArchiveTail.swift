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
    /// Partial segments that could not be synced and were set aside, by their new paths.
    package let setAside: [String]
    /// The first fault in what was read, other than that it ends; for the log.
    package let fault: ScanFault?

    /// Syncs the last segment, reads it, and decides where its valid part ends.
    ///
    /// Only the receiver, which holds the archive's lock, may do that: files that cannot be synced are set aside. The
    /// answer is nil for an archive without any segment; `syncs` is false only for an archive that is never synced.
    ///
    /// - Throws: `SystemError`, `StoreError`.
    package static func find(
        directory: String,
        segmentSize: SegmentSize,
        systemIdentifier: UInt64? = nil,
        syncs: Bool = true
    ) throws -> ArchiveTail? {
        var setAside: [String] = []
        while true {
            let names = try FileTree.list(directory).compactMap { ArchiveFileName($0) }
            guard let ending = ArchiveEnding(names, segmentSize: segmentSize) else { return nil }
            do throws(UnsyncableSegment) {
                if syncs { try sync(ending, in: directory) }
            } catch {
                setAside.append(try SegmentWriter.setAside(directory: directory, name: error.name))
                continue
            }
            let tail = try read(
                ending,
                in: directory,
                segmentSize: segmentSize,
                expectation: .init(systemIdentifier: systemIdentifier, timeline: ending.timeline),
                setAside: setAside
            )
            // Killed between the last write and the rename: whole, checked, synced, and only the name is missing.
            for name in ending.partials {
                let writer = try SegmentWriter.whole(directory: directory, name: name, size: segmentSize)
                guard writer.end <= tail.recordEnd else { break }
                try writer.finish()
            }
            return tail
        }
    }

    private struct UnsyncableSegment: Error {
        let name: SegmentName
    }

    private static func sync(_ ending: ArchiveEnding, in directory: String) throws(UnsyncableSegment) {
        for name in ending.partials {
            do {
                try DurableFile.syncFile(FilePath.join(directory, "\(name).partial"))
            } catch {
                throw UnsyncableSegment(name: name)
            }
        }
        if let last = ending.partials.last {
            do { try DurableFile.syncDirectory(directory) } catch { throw UnsyncableSegment(name: last) }
        }
    }

    private static func read(
        _ ending: ArchiveEnding,
        in directory: String,
        segmentSize: SegmentSize,
        expectation: SegmentScanner.Expectation,
        setAside: [String]
    ) throws -> ArchiveTail {
        var fault: ScanFault?
        var scanner = SegmentScanner(
            startingAt: ending.partialsStart,
            segmentSize: segmentSize,
            expectation: expectation
        )
        // The last complete segment, for a record that spans into the next one and for the link between records.
        if let complete = ending.complete, let start = complete.start(size: segmentSize) {
            var carried = SegmentScanner(startingAt: start, segmentSize: segmentSize, expectation: expectation)
            try consume(complete, in: WALDirectory(directory, segmentSize: segmentSize), into: &carried)
            if carried.fault == nil, carried.position == ending.partialsStart {
                scanner = carried
            } else {
                fault = carried.fault
            }
        }
        let atPartials = scanner
        for name in ending.partials where scanner.fault == nil {
            let path = FilePath.join(directory, "\(name).partial")
            guard try consume(path, limit: segmentSize.bytes, into: &scanner) == segmentSize.bytes else { break }
        }
        if let found = scanner.fault, !found.isEndOfWAL { fault = fault ?? found }
        let recordEnd = scanner.recordEnd
        let isKnown = ending.complete != nil || recordEnd > ending.partialsStart
        let goOn: SegmentScanner
        var request: LSN
        if scanner.fault == nil, scanner.openRecordStart == nil {
            // At a record's end, or in the empty rest of a switched segment.
            goOn = scanner
            request = scanner.position
        } else if scanner.recordEnd <= ending.partialsStart {
            // No record ends in a partial segment yet: all of them again.
            goOn = atPartials
            request = ending.partialsStart
        } else {
            // The beginning of the record that is cut may be torn: it is fetched again, a few bytes.
            goOn = scanner.resumedAtRecordEnd()
            request = goOn.position
        }
        if request > ending.partialsStart, request == scanner.recordEnd {
            // The page before, within the segment, to be compared with what upstream has there.
            let page = LSN((request.rawValue - 1) & ~8191)
            request = max(page, segmentSize.segmentStart(of: request))
        }
        return ArchiveTail(
            timeline: ending.timeline,
            recordEnd: recordEnd,
            isKnown: isKnown,
            resume: goOn.position,
            request: request,
            scanner: goOn,
            setAside: setAside,
            fault: fault
        )
    }

    /// Feeds a complete segment, compressed or not; one that cannot be decompressed counts as not readable.
    private static func consume(
        _ name: SegmentName,
        in directory: WALDirectory,
        into scanner: inout SegmentScanner
    ) throws {
        do {
            guard let reader = try directory.open(name, completeOnly: true) else { return }
            var buffer = [UInt8](repeating: 0, count: 1 << 20)
            while scanner.fault == nil {
                let count = try buffer.withUnsafeMutableBytes { try reader.read(into: $0) }
                if count == 0 { return }
                buffer.withUnsafeBytes { scanner.consume(UnsafeRawBufferPointer(rebasing: $0[..<count])) }
            }
        } catch is StoreError {
            return
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

/// Which files are the end of an archive, by their names.
struct ArchiveEnding: Equatable {
    let timeline: TimelineID
    /// The last complete segment of the timeline.
    let complete: SegmentName?
    /// The partial segments that follow it without a gap.
    let partials: [SegmentName]
    /// Where the first partial segment begins, or would begin.
    let partialsStart: LSN

    init?(_ names: [ArchiveFileName], segmentSize: SegmentSize) {
        guard let timeline = names.compactMap({ $0.segment?.timeline }).max() else { return nil }
        var completes: Set<UInt64> = []
        var partials: Set<UInt64> = []
        for name in names {
            guard let segment = name.segment, segment.timeline == timeline,
                let number = segment.number(size: segmentSize)
            else { continue }
            if case .partialSegment = name { partials.insert(number) } else { completes.insert(number) }
        }
        let last = completes.max()
        guard let first = last.map({ $0 + 1 }) ?? partials.min() else { return nil }
        var run: [SegmentName] = []
        var next = first
        while partials.contains(next) {
            run.append(SegmentName(timeline: timeline, number: next, size: segmentSize))
            next += 1
        }
        self.timeline = timeline
        self.complete = last.map { SegmentName(timeline: timeline, number: $0, size: segmentSize) }
        self.partials = run
        self.partialsStart = segmentSize.start(of: first)
    }
}
