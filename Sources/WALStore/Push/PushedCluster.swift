import Platform
import WALFormat

/// Whether a segment belongs to the archive's cluster, and to the timeline of its name.
struct PushedCluster {
    let request: PushRequest
    let archive: WALDirectory

    func check(_ segment: PushedSegment) throws {
        try checkIdentity(segment)
        try checkTimeline(segment)
    }

    private func checkIdentity(_ segment: PushedSegment) throws {
        let found = segment.systemIdentifier
        if let expected = request.systemIdentifier, found != expected {
            throw refused(segment, "this is the archive of \(expected)", "give each cluster an archive of its own")
        }
        if let server = serverIdentifier(), found != server {
            throw refused(segment, "the server beside it is \(server)", "see how the file came into pg_wal")
        }
        // One directory is for one cluster, whoever was first.
        guard request.systemIdentifier == nil, let other = try neighbour(of: segment), found != other.identifier else {
            return
        }
        throw refused(
            segment,
            "\(other.path) is of \(other.identifier)",
            "give each cluster a directory of its own, also the new one after pg_upgrade"
        )
    }

    private func refused(_ segment: PushedSegment, _ reason: String, _ hint: String) -> PushFailure {
        PushFailure(
            .refused,
            "\(segment.path) is of the cluster with system identifier \(segment.systemIdentifier); \(reason)",
            hint: hint
        )
    }

    /// By the pg_control of the server whose pg_wal the file is in; nil where it cannot be read.
    private func serverIdentifier() -> UInt64? {
        let data = FilePath.parent(of: FilePath.parent(of: request.source))
        let directory = data == "." && !request.source.contains("/") ? ".." : data
        // It may be read while it is written.
        for _ in 0..<3 {
            guard let bytes = try? FileTree.read(FilePath.join(directory, "global/pg_control"), limit: 1 << 16) else {
                return nil
            }
            let control = bytes.withUnsafeBytes { try? ControlFile($0) }
            if let control { return control.systemIdentifier }
            SystemClock.sleep(seconds: 0.01)
        }
        return nil
    }

    /// The cluster of the segment before, or of any other.
    private func neighbour(of segment: PushedSegment) throws -> (path: String, identifier: UInt64)? {
        let number = segment.size.number(of: segment.start)
        if number > 0 {
            let before = SegmentName(timeline: segment.name.timeline, number: number - 1, size: segment.size)
            if let found = identifier(of: before) { return found }
        }
        for name in try ArchiveGlance(archive.path).lastComplete.values {
            if let found = identifier(of: name) { return found }
        }
        return nil
    }

    /// What cannot be read says nothing.
    private func identifier(of name: SegmentName) -> (path: String, identifier: UInt64)? {
        guard let reader = (try? archive.open(name, completeOnly: true)) ?? nil, reader.major != nil,
            let identifier = reader.systemIdentifier
        else { return nil }
        return (reader.path, identifier)
    }

    private func checkTimeline(_ segment: PushedSegment) throws {
        // History files are archived before segments; without one there is nothing to compare with.
        guard let history = try? archive.history(segment.name.timeline) else { return }
        let expected = history.timeline(at: segment.start)
        guard segment.firstTimeline != expected else { return }
        throw PushFailure(
            .refused,
            "\(segment.path) begins with WAL of timeline \(segment.firstTimeline); by "
                + "\(segment.name.timeline.historyFileName) that is timeline \(expected)'s",
            hint: "two servers may have been promoted to one timeline: let only one of them archive here"
        )
    }
}
