import ArchiveModel
package import WALFormat

/// What to do for a request, by its words alone: no file has been looked at.
package enum FetchPlan: Hashable, Sendable {
    /// Not a name that PostgreSQL asks for.
    case badName
    /// Not for this caller, whatever the archive holds; the text says why.
    case refused(String)
    /// Needed when the caller's path leads to this timeline, so that its file must be there.
    case history(TimelineID, needed: Bool)
    /// Asked for by a server that looks for a free number: there where the archive has this timeline, or a later one.
    case takenTimeline(TimelineID)
    case backupHistory
    case segment(Segment)

    package struct Segment: Hashable, Sendable {
        package let name: SegmentName
        package let start: LSN
        /// Bytes from here on are withheld, zeros are served in their place; the segment's end where none are.
        package let limit: LSN
        /// The caller's target lies beyond its start, so that it must be there, be it partial.
        package let needed: Bool
    }

    package init(_ request: FetchRequest, segmentSize: SegmentSize) {
        switch ArchiveFileName(request.name) {
        case nil, .compressedSegment:
            self = .badName
        case .partialSegment, .compressedPartialSegment:
            self = .refused("partial segments are never served under that name")
        case .backupHistory:
            self = .backupHistory
        case .history(let timeline):
            if let path = request.path {
                // PostgreSQL reads only the history of the timeline that it goes to; the first has none.
                if path.contains(timeline) {
                    self = .history(timeline, needed: timeline.rawValue > 1 && path.target == timeline)
                } else if request.takesNewTimeline, timeline > path.target {
                    self = .takenTimeline(timeline)
                } else {
                    self = .refused("timeline \(timeline) is not on the path \(path)")
                }
            } else {
                self = .history(timeline, needed: false)
            }
        case .segment(let name):
            self = Self.segment(name, request, segmentSize)
        }
    }

    private static func segment(_ name: SegmentName, _ request: FetchRequest, _ size: SegmentSize) -> FetchPlan {
        guard let start = name.start(size: size) else {
            return .refused("no segment of \(size) has this name")
        }
        let end = size.segmentEnd(of: start)
        let limit = min(end, request.until ?? end)
        guard start < limit else {
            return .refused("the archive is to end at \(limit) for this caller")
        }
        if let path = request.path {
            // The segment in which a timeline begins comes from that timeline: its copy begins with the parent's WAL,
            // while the parent's copy may go on with WAL that the path has left.
            let wanted = path.timeline(at: LSN(limit.rawValue &- 1))
            guard wanted == name.timeline else {
                return .refused("the path \(path) takes this segment from timeline \(wanted)")
            }
        }
        return .segment(Segment(name: name, start: start, limit: limit, needed: request.until != nil))
    }
}
