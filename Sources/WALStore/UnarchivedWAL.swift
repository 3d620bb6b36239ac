import Glibc
import Platform
package import WALFormat

/// What a server wrote into its pg_wal before it crashed and nobody received: it is taken into the archive, so that no
/// commit is lost that the server itself would have recovered.
package struct UnarchivedWAL: Sendable {
    /// What was taken.
    package struct Taken: Hashable, Sendable {
        /// Where the archive ended before, and where it ends now.
        package var from: LSN
        package var to: LSN
        package var names: [SegmentName]
    }

    package enum Refusal: Error, Hashable, Sendable {
        /// The archive has nothing to go on from.
        case emptyArchive
        /// The directory's WAL is another one at this position already.
        case differs(LSN)
        /// The directory has no WAL where the archive ends; its own may begin later.
        case notThere(SegmentName)
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

    /// Takes all complete records after the archive's end; with the receiver's lock held.
    ///
    /// Killed anywhere it leaves an archive that ends somewhere between, and may be repeated.
    /// - Throws: `Refusal`, `SystemError`, `StoreError`.
    package func take() throws -> Taken {
        let tail = try ArchiveTail.find(
            directory: archive.path,
            segmentSize: archive.segmentSize,
            systemIdentifier: expectation.systemIdentifier
        )
        guard let tail, tail.isKnown else { throw Refusal.emptyArchive }
        return try take(timeline: tail.timeline, after: tail.recordEnd)
    }

    /// Begins an archive that has nothing yet: with the segment that holds `position`.
    ///
    /// - Throws: `Refusal`, `SystemError`, `StoreError`.
    package func begin(timeline: TimelineID, at position: LSN) throws -> Taken {
        try take(timeline: timeline, after: position)
    }

    private func take(timeline: TimelineID, after position: LSN) throws -> Taken {
        let end = try sourceEnd(timeline, after: position)
        var taken = Taken(from: position, to: position, names: [])
        guard end > position else { return taken }
        var start = archive.segmentSize.segmentStart(of: position)
        while start < end {
            let name = SegmentName(timeline: timeline, containing: start, size: archive.segmentSize)
            let segmentEnd = archive.segmentSize.segmentEnd(of: start)
            try copy(name, bytes: min(end, segmentEnd).bytes(since: start))
            taken.names.append(name)
            start = segmentEnd
        }
        taken.to = end
        return taken
    }

    /// The end of the source's last complete record; its WAL is the same as ours up to where ours ends.
    private func sourceEnd(_ timeline: TimelineID, after position: LSN) throws -> LSN {
        var expectation = expectation
        expectation.timeline = timeline
        let size = archive.segmentSize
        let first = size.segmentStart(of: position)
        var scanner = SegmentScanner(startingAt: first, segmentSize: size, expectation: expectation)
        var isFirst = true
        while scanner.fault == nil {
            let name = SegmentName(timeline: timeline, containing: scanner.position, size: size)
            guard let reader = try source.open(name, completeOnly: true) else {
                // At a segment's border the next one may never have been begun.
                if isFirst, position != first { throw Refusal.notThere(name) }
                break
            }
            if isFirst, let place = try difference(name, upTo: position) { throw Refusal.differs(place) }
            isFirst = false
            let begin = scanner.position
            try scanner.consume(all: reader)
            if scanner.position == begin { break }
        }
        return scanner.recordEnd
    }

    /// Where the segment's two copies differ first.
    private func difference(_ name: SegmentName, upTo end: LSN) throws -> LSN? {
        guard let start = name.start(size: archive.segmentSize), let ours = try archive.open(name),
            let theirs = try source.open(name, completeOnly: true)
        else { return nil }
        let wanted = Int(end.bytes(since: start))
        let left = try SegmentBytes(ours, capacity: Int(archive.segmentSize.bytes))
        let right = try SegmentBytes(theirs, capacity: Int(archive.segmentSize.bytes))
        let same = left.withBytes { left in
            right.withBytes { right in zip(left.prefix(wanted), right.prefix(wanted)).prefix { $0 == $1 }.count }
        }
        return same < wanted ? start.advanced(by: UInt64(same)) : nil
    }

    /// Makes the segment's first bytes durable under its name; what we have of it is their beginning.
    private func copy(_ name: SegmentName, bytes: UInt64) throws {
        guard try archive.open(name, completeOnly: true) == nil else { return }
        guard let reader = try source.open(name, completeOnly: true) else { throw Refusal.notThere(name) }
        let content = try SegmentBytes(reader, capacity: Int(archive.segmentSize.bytes))
        let path = FilePath.join(archive.path, "\(name).partial")
        try FaultPoint.pass("unarchived.beforeWrite")
        let part = content.withBytes { Array($0.prefix(Int(bytes))) }
        try DurableFile.replace(path, bytes: part)
        try FaultPoint.pass("unarchived.written")
        if bytes == archive.segmentSize.bytes { try FullSegment(name, in: archive)?.finish() }
    }
}
