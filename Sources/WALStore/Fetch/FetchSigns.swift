import ArchiveModel
import Glibc
import Platform
import WALFormat

/// What a fetch leaves for others to see: the hold file of a standby, the end file of a clone.
extension SegmentFetch {
    /// What the hold file said before.
    enum HoldNote {
        /// Something else, or nothing.
        case news
        case known
        /// Nobody knows: there is no hold file, or it cannot be written.
        case unwritten
    }

    /// Writes the hold file, if there is to be one and it does not say so already.
    func hold(_ trouble: FetchTrouble) -> HoldNote {
        guard let path = request.holdFile else { return .unwritten }
        // The server's process is part of it: after a restart everything is news.
        let text = trouble.json(process: getsid(0))
        if (try? FileTree.readText(path, limit: 64 << 10)) == text { return .known }
        do { try DurableFile.replace(path, text: text) } catch { return .unwritten }
        return .news
    }

    /// Nothing is held any more.
    func releaseHold() {
        guard let path = request.holdFile else { return }
        unlink(path)
    }

    /// PostgreSQL asks for WAL beyond `until`: it has all that it gets.
    func markEnd() {
        guard let until = request.until, case .segment(let name)? = ArchiveFileName(request.name),
            let start = name.start(size: directory.segmentSize), start >= until
        else { return }
        _ = reachedEnd()
    }

    /// The same where it asks again for the segment that is cut.
    ///
    /// It may also do so at its start, for the checkpoint's segment, then for the redo's, then for this one again. So
    /// the files in pg_wal decide: at the end the last one that it was given is this one.
    ///
    /// - Returns: whether the limit has moved meanwhile, so that it asks once more with the new one.
    func noteEndBeforeServing(_ segment: FetchPlan.Segment) -> Bool {
        guard request.endFile != nil, segment.limit < directory.segmentSize.segmentEnd(of: segment.start) else {
            return false
        }
        let given = FilePath.parent(of: request.target)
        guard let this = try? FileTree.status(FilePath.join(given, segment.name.description)) else { return false }
        let number = directory.segmentSize.number(of: segment.start)
        let timelines = request.path?.legs.map(\.timeline) ?? [segment.name.timeline]
        for timeline in timelines where number > 0 {
            let before = SegmentName(timeline: timeline, number: number - 1, size: directory.segmentSize)
            guard let status = try? FileTree.status(FilePath.join(given, before.description)) else { continue }
            if status.modified >= this.modified { return false }
        }
        return reachedEnd()
    }

    /// Notes that the server has all that it gets, and answers it ever later.
    ///
    /// A server that nobody promotes asks for ever, and would do so fifty times a second. It waits for as long as it
    /// has been at its end already; promotion, the server's own end, and a limit that moves are noticed at once.
    ///
    /// - Returns: whether the limit moves.
    private func reachedEnd() -> Bool {
        guard let path = request.endFile else { return false }
        // Of this start of the server: what an earlier one noted says nothing.
        let server = "\(getsid(0))\n"
        guard (try? FileTree.readText(path, limit: 64)) == server, let noted = try? FileTree.status(path).modified
        else {
            guard let file = try? Descriptor.open(path, O_WRONLY | O_CREAT | O_TRUNC | O_NOFOLLOW) else {
                return false
            }
            try? file.writeAll(Array(server.utf8))
            return false
        }
        let seconds = Double(max(0, SystemClock.now() - noted)) / 1_000_000
        let wake = try? FetchWait(archive: request.archive, endFile: path)
            .next(until: Deadline(seconds: min(seconds, Self.longestWaitSeconds)), archiveMatters: false)
        // During its promotion it reads its last segment once more.
        if wake == .promoted { unlink(path) }
        return wake == .released
    }

    private static let longestWaitSeconds = 300.0

    /// The segment size of the archive, by the page headers of what was asked for, or of any other segment.
    static func segmentSize(_ request: FetchRequest) -> SegmentSize {
        // Of the smallest size, with which all names are possible.
        let directory = WALDirectory(request.archive, segmentSize: SegmentSize(bytes: 1 << 20) ?? .standard)
        if case .segment(let name)? = ArchiveFileName(request.name),
            let size = (try? directory.open(name))??.segmentSize
        {
            return size
        }
        guard let names = try? ArchiveGlance(request.archive).lastComplete.values else { return .standard }
        for name in names {
            if let size = (try? directory.open(name))??.segmentSize { return size }
        }
        return .standard
    }
}
