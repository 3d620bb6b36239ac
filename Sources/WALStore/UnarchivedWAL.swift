package import ArchiveModel
import Glibc
import Platform
package import WALFormat

/// What a server wrote into its pg_wal before it crashed and nobody received: it is taken into the archive, so that no
/// commit is lost that the server itself would have recovered.
package struct UnarchivedWAL: Sendable {
    /// WAL that goes on where the archive ends, read and found whole: nothing is taken yet.
    package struct Continuation: Sendable {
        /// To the timeline that the server was on, which may be newer than the archive's.
        package let path: TimelinePath
        /// Where the archive ends, or where the newer timeline leaves it.
        package let from: LSN
        package let to: LSN
        /// The archive's newest timeline.
        package let timeline: TimelineID
        /// Goes on with the first byte that is read.
        fileprivate let scanner: SegmentScanner

        package var isEmpty: Bool { to <= from }
        /// Whether all that comes after the archive's last record can be read here: not where the archive ends within a
        /// record of several segments, of which only the whole can be.
        package var goesOnFromRecord: Bool { scanner.openRecordStart != nil || scanner.recordEnd == scanner.position }
    }

    package enum Refusal: Error, Hashable, Sendable {
        /// The archive has nothing to go on from.
        case emptyArchive
        /// The directory's WAL is another one at this position already.
        case differs(LSN)
        /// The directory has no WAL where the archive ends; its own may begin later.
        case notThere(SegmentName)
        /// The server was on this timeline, to which the archive's does not lead, by the histories that there are.
        case otherTimeline(TimelineID, archive: TimelineID)
    }

    private let archive: WALDirectory
    private let source: WALDirectory
    private let expectation: SegmentScanner.Expectation

    /// - Parameter directory: a crashed server's pg_wal; it is only read.
    package init(from directory: String, into archive: WALDirectory, systemIdentifier: UInt64) {
        self.archive = archive
        self.source = WALDirectory(directory, segmentSize: archive.segmentSize)
        self.expectation = SegmentScanner.Expectation(systemIdentifier: systemIdentifier)
    }

    // MARK: - Looking

    /// Finds all complete records after the archive's end; with the receiver's lock held.
    ///
    /// - Throws: `Refusal`, `SystemError`, `StoreError`.
    package func look() throws -> Continuation {
        let tail = try ArchiveTail.find(
            directory: archive.path,
            segmentSize: size,
            systemIdentifier: expectation.systemIdentifier
        )
        guard let tail, tail.isKnown else { throw Refusal.emptyArchive }
        let path = try path(from: tail.timeline)
        let fork = path.legs.first { $0.timeline == tail.timeline }?.end
        var from = tail.recordEnd
        var scanner = tail.scanner
        if let fork, fork < from || fork < scanner.position {
            // The newer timeline leaves this one before our end: its first segment has what leads to it.
            from = fork
            scanner = fresh(size.segmentStart(of: fork))
        }
        try compare(upTo: from, on: tail.timeline, with: path)
        return try look(path, from: from, on: tail.timeline, scanner)
    }

    /// For an archive that has nothing yet: from the segment on that holds `position`.
    ///
    /// - Throws: `Refusal`, `SystemError`, `StoreError`.
    package func look(timeline: TimelineID, at position: LSN) throws -> Continuation {
        let scanner = fresh(size.segmentStart(of: position))
        return try look(TimelinePath(timeline), from: position, on: timeline, scanner)
    }

    private var size: SegmentSize { archive.segmentSize }

    private func fresh(_ start: LSN) -> SegmentScanner {
        SegmentScanner(startingAt: start, segmentSize: size, expectation: expectation)
    }

    private func look(
        _ path: TimelinePath,
        from: LSN,
        on timeline: TimelineID,
        _ scanner: SegmentScanner
    ) throws -> Continuation {
        let end = try scan(path, scanner) { _, _, _, _ in .proceed }
        return Continuation(path: path, from: from, to: max(from, end.recordEnd), timeline: timeline, scanner: scanner)
    }

    /// To the newest timeline that the source has WAL of.
    private func path(from timeline: TimelineID) throws -> TimelinePath {
        let names = try FileTree.list(source.path).compactMap { ArchiveFileName($0) }
        let newest = names.compactMap { $0.form?.isComplete == true ? $0.segment?.timeline : nil }.max()
        guard let newest, newest != timeline else { return TimelinePath(timeline) }
        guard newest > timeline, let history = try source.history(newest) ?? archive.history(newest),
            history.contains(timeline)
        else { throw Refusal.otherTimeline(newest, archive: timeline) }
        for step in history.ancestors.map(\.timeline) + [newest] where step > timeline {
            guard let ours = try archive.historyText(step), let theirs = try source.historyText(step), ours != theirs
            else { continue }
            throw Refusal.otherTimeline(step, archive: timeline)
        }
        let ancestors = history.ancestors.filter { $0.timeline >= timeline }
        return TimelinePath(ancestors: ancestors.map { ($0.timeline, $0.end) }, timeline: newest)
    }

    /// Where both have the segment before `position`, it must be the same WAL.
    private func compare(upTo position: LSN, on timeline: TimelineID, with path: TimelinePath) throws {
        guard position.isValid else { return }
        let last = LSN(position.rawValue - 1)
        let name = SegmentName(timeline: timeline, containing: last, size: size)
        let end = size.segmentEnd(of: last)
        let theirs = SegmentName(timeline: path.timeline(at: LSN(end.rawValue - 1)), containing: last, size: size)
        guard let start = name.start(size: size), let ours = try archive.open(name),
            let other = try source.open(theirs, completeOnly: true)
        else { return }
        // What follows a switch is nobody's.
        let wanted = try min(position, SegmentContent(of: ours, timeline: timeline, segmentSize: size).recordEnd)
        guard let reader = try archive.open(name), let difference = try SegmentDifference.first(reader, other),
            difference.position < max(start, wanted)
        else { return }
        throw Refusal.differs(difference.position)
    }

    /// Reads the source from where the scanner is to the end of its last complete record.
    private func scan(
        _ path: TimelinePath,
        _ begin: SegmentScanner,
        visit: WALWalk.Visitor
    ) throws -> SegmentScanner {
        var scanner = begin
        let lastFork = path.legs.dropLast().last?.end ?? .invalid
        while true {
            let end = size.segmentEnd(of: scanner.position)
            let timeline = path.timeline(at: LSN(end.rawValue - 1))
            let name = SegmentName(timeline: timeline, containing: scanner.position, size: size)
            guard let reader = try source.open(name, completeOnly: true) else {
                // At a segment's border the next one may never have been begun.
                guard size.offset(of: scanner.position) == 0, scanner.position >= lastFork else {
                    throw Refusal.notThere(name)
                }
                return scanner
            }
            scanner.expectation.timeline = timeline
            try reader.skip(to: scanner.position)
            let major = reader.major ?? .v15
            try withSegmentBuffer { buffer in
                while scanner.fault == nil, !scanner.stopped {
                    let count = try reader.read(into: buffer)
                    if count == 0 { return }
                    try scanner.consume(UnsafeRawBufferPointer(rebasing: buffer[..<count])) { record, body in
                        try visit(record, path.timeline(at: record.start), body, major)
                    }
                }
            }
            if scanner.stopped { return scanner }
            if let fault = scanner.fault {
                // WAL that has its own history from the very first record on, or that ends before it may.
                let isOther = size.offset(of: begin.position) == 0 && scanner.recordEnd == begin.recordEnd
                guard !(isOther && fault.isOfAnotherHistory), scanner.recordEnd >= lastFork else {
                    throw Refusal.differs(fault.position)
                }
                return scanner
            }
            guard scanner.position == end else { return scanner }
        }
    }

    /// A history that the source has.
    package func history(_ timeline: TimelineID) throws -> TimelineHistory? { try source.history(timeline) }

    /// Visits the records that were found.
    ///
    /// - Returns: whether the visitor said stop.
    package func records(of found: Continuation, visit: WALWalk.Visitor) throws -> Bool {
        try scan(found.path, found.scanner) { record, timeline, body, major in
            guard record.end > found.from, record.end <= found.to else { return .proceed }
            return try visit(record, timeline, body, major)
        }.stopped
    }

    // MARK: - Taking

    /// Takes what was found; with the receiver's lock held since.
    ///
    /// Killed anywhere it leaves an archive that ends somewhere between, and may be repeated.
    /// - Returns: the segments.
    /// - Throws: `Refusal`, `SystemError`, `StoreError`.
    @discardableResult
    package func take(_ found: Continuation) throws -> [SegmentName] {
        var names: [SegmentName] = []
        guard !found.isEmpty else { return [] }
        var start = size.segmentStart(of: found.scanner.position)
        while start < found.to {
            let end = size.segmentEnd(of: start)
            let timeline = found.path.timeline(at: LSN(end.rawValue - 1))
            let name = SegmentName(timeline: timeline, containing: start, size: size)
            for leg in found.path.legs where leg.timeline > found.timeline && leg.timeline <= timeline {
                try takeHistory(leg.timeline)
            }
            try copy(name, bytes: min(found.to, end).bytes(since: start))
            names.append(name)
            start = end
        }
        return names
    }

    private func takeHistory(_ timeline: TimelineID) throws {
        guard let text = try source.historyText(timeline) else { return }
        try archive.storeHistory(timeline, text: text)
    }

    /// Makes the segment's first bytes durable under its name; what we have of it is their beginning.
    private func copy(_ name: SegmentName, bytes: UInt64) throws {
        guard try archive.open(name, completeOnly: true) == nil else { return }
        guard let reader = try source.open(name, completeOnly: true) else { throw Refusal.notThere(name) }
        let content = try SegmentBytes(reader, capacity: Int(size.bytes))
        let path = FilePath.join(archive.path, "\(name).partial")
        try FaultPoint.pass("unarchived.beforeWrite")
        let part = content.withBytes { Array($0.prefix(Int(bytes))) }
        try DurableFile.replace(path, bytes: part)
        try FaultPoint.pass("unarchived.written")
        if bytes == size.bytes { try FullSegment(name, in: archive)?.finish() }
    }
}

extension ScanFault {
    /// Not what a file holds where the server had not written yet.
    fileprivate var isOfAnotherHistory: Bool {
        switch kind {
        case .badPrevious, .badContinuation, .badTimeline, .badSystemIdentifier, .badSegmentSize: true
        default: false
        }
    }
}
