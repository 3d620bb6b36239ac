package import WALFormat

/// What is known here of how far the archive reaches.
package struct ArchivePosition: Equatable, Sendable {
    package let timeline: TimelineID
    /// Where to ask from: at or a little before `recordEnd`, so that the first bytes can be compared.
    package let request: LSN
    /// The end of the last complete record here, all durable.
    package let recordEnd: LSN
    /// Whether `recordEnd` may be told to the server; not before anything was received.
    package let isKnown: Bool
    /// The end of the last complete segment: before it some may be missing.
    package let completeEnd: LSN
    /// Where the first segment is missing among the complete ones of the timeline; nil when none is.
    package let firstHole: LSN?

    /// How far the archive reaches, whole records or not.
    package var reach: LSN { max(request, recordEnd) }

    package init(
        timeline: TimelineID,
        request: LSN,
        recordEnd: LSN,
        isKnown: Bool = true,
        completeEnd: LSN = .invalid,
        firstHole: LSN? = nil
    ) {
        self.timeline = timeline
        self.request = request
        self.recordEnd = recordEnd
        self.isKnown = isKnown
        self.completeEnd = completeEnd
        self.firstHole = firstHole
    }
}

/// Where a stream begins, decided from what both sides have.
package struct StreamStart: Equatable, Sendable {
    package enum Kind: Equatable, Sendable {
        /// An empty archive.
        case first
        /// Goes on where the archive ends.
        case resume
        /// The server's history leaves ours at `end`, perhaps before our end: the fork's segment again, on the timeline
        /// that follows.
        case fork(end: LSN)
    }

    package let kind: Kind
    package let timeline: TimelineID
    package let position: LSN
    /// What is durable here of the WAL that leads to `position` and beyond; nil when unknown.
    package let durable: LSN?

    package init(kind: Kind, timeline: TimelineID, position: LSN, durable: LSN?) {
        self.kind = kind
        self.timeline = timeline
        self.position = position
        self.durable = durable
    }

    /// Where to begin; a failure when the server's WAL cannot continue ours.
    ///
    /// `history` is that of the server's current timeline, without ancestors for timeline 1.
    package static func decide(
        position: ArchivePosition?,
        identity: ServerIdentity,
        slot: SlotState?,
        history: TimelineHistory,
        segmentSize: SegmentSize
    ) -> Result<StreamStart, Divergence> {
        guard let position else {
            var timeline = identity.timeline
            var start = identity.flushed
            if case .physical(let restart?, let restartTimeline) = slot {
                start = restart
                timeline = restartTimeline ?? history.timeline(at: restart)
            }
            start = segmentSize.segmentStart(of: start)
            return .success(StreamStart(kind: .first, timeline: timeline, position: start, durable: nil))
        }
        if position.timeline > identity.timeline {
            return .failure(.serverOnOlderTimeline(server: identity.timeline, ours: position.timeline))
        }
        if position.timeline == identity.timeline {
            guard position.reach <= identity.flushed else {
                return .failure(.aheadOfServer(server: identity.flushed, ours: position.reach))
            }
            return .success(resume(position))
        }
        guard let index = history.ancestors.firstIndex(where: { $0.timeline == position.timeline }) else {
            return .failure(.unrelatedTimeline(server: identity.timeline, ours: position.timeline))
        }
        let end = history.ancestors[index].end
        guard position.reach > end else { return .success(resume(position)) }
        let next = index + 1 < history.ancestors.count ? history.ancestors[index + 1].timeline : history.timeline
        return .success(fork(from: end, to: next, known: position.isKnown, segmentSize: segmentSize))
    }

    /// The start on the timeline that follows one which ended at `end`.
    package static func fork(from end: LSN, to timeline: TimelineID, known: Bool, segmentSize: SegmentSize)
        -> StreamStart
    {
        StreamStart(
            kind: .fork(end: end),
            timeline: timeline,
            position: segmentSize.segmentStart(of: end),
            durable: known ? end : nil
        )
    }

    private static func resume(_ position: ArchivePosition) -> StreamStart {
        StreamStart(
            kind: .resume,
            timeline: position.timeline,
            position: position.request,
            durable: position.isKnown ? position.recordEnd : nil
        )
    }
}

/// Why the server's WAL cannot be a continuation of ours.
package enum Divergence: Error, Equatable, Sendable, CustomStringConvertible {
    case aheadOfServer(server: LSN, ours: LSN)
    case serverOnOlderTimeline(server: TimelineID, ours: TimelineID)
    case unrelatedTimeline(server: TimelineID, ours: TimelineID)
    /// A history file of the same timeline with another content is here already.
    case otherHistory(TimelineID)
    /// The server's bytes at an address that is complete here are others.
    case otherContent(LSN)

    package var description: String {
        switch self {
        case .aheadOfServer(let server, let ours):
            "the archive reaches \(ours), the upstream only \(server): it lost WAL or was restored"
        case .serverOnOlderTimeline(let server, let ours):
            "the upstream is on timeline \(server), the archive already on \(ours)"
        case .unrelatedTimeline(let server, let ours):
            "the upstream's timeline \(server) does not descend from the archive's timeline \(ours)"
        case .otherHistory(let timeline):
            "the upstream's history of timeline \(timeline) is not the one in the archive"
        case .otherContent(let position):
            "the upstream's WAL at \(position) is not the WAL in the archive"
        }
    }
}
