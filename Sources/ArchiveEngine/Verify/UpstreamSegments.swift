import ArchiveModel
import Platform
import PostgresLink
import WALFormat

/// Single segments and histories from an upstream, by a replication connection of its own without a slot: the running
/// receiver and the slot's position are not touched.
struct UpstreamSegments {
    let connection: ConnectionString
    let systemIdentifier: UInt64?
    let segmentSize: SegmentSize

    /// The upstream has not what is asked for: it is gone, was never there, or is not complete yet.
    struct Unavailable: Error, CustomStringConvertible {
        let description: String
    }

    private static let silenceLimitSeconds = 30.0

    /// Writes a whole segment to `file`.
    func fetch(_ name: SegmentName, to file: borrowing Descriptor) throws {
        guard let start = name.start(size: segmentSize) else { throw Unavailable(description: "no segment's name") }
        let end = start.advanced(by: segmentSize.bytes)
        let session = try Session(connection)
        try session.identify(systemIdentifier)
        session.link.send(.startReplication(slot: nil, position: start, timeline: name.timeline))
        var position = start
        var hasEnded = false
        while position < end {
            switch try session.next() {
            case .message(.data(let from, _, _, _)):
                let payload = session.link.payload
                guard from == position else {
                    throw LinkError(.protocolViolation, "the upstream sent WAL of \(from) instead of \(position)")
                }
                let part = UnsafeRawBufferPointer(rebasing: payload.prefix(Int(clamping: end.bytes(since: position))))
                try file.writeAll(part, at: Int64(clamping: position.bytes(since: start)))
                position = position.advanced(by: UInt64(part.count))
            case .message(.keepalive(let serverEnd, _, let replyRequested)):
                if replyRequested { session.reply() }
                if serverEnd <= position, position < end, serverEnd > start || position > start {
                    throw Unavailable(
                        description: "the upstream has WAL up to \(serverEnd) only, not the whole segment"
                    )
                }
            case .copyEnded:
                // Why is said after it: an error, or where the timeline ended.
                hasEnded = true
            case .row, .commandComplete:
                guard hasEnded else { continue }
                throw Unavailable(
                    description: "the upstream left timeline \(name.timeline) before the segment's end"
                )
            case .malformed(let message):
                throw LinkError(.protocolViolation, "the upstream sent \(message)")
            default: continue
            }
        }
    }

    /// A timeline's history file as the upstream has it.
    func history(_ timeline: TimelineID) throws -> String {
        let session = try Session(connection)
        try session.identify(systemIdentifier)
        session.link.send(.timelineHistory(timeline))
        var text: String?
        while true {
            switch try session.next() {
            case .row(let fields): text = fields.count > 1 ? fields[1] : nil
            case .commandComplete: break
            default: continue
            }
            if let text { return text }
            throw Unavailable(description: "the upstream gives no history of timeline \(timeline)")
        }
    }

    private final class Session {
        let link: ReplicationLink

        init(_ connection: ConnectionString) throws {
            link = try ReplicationLink(connection, applicationName: "pgarchive_repair")
        }

        func identify(_ wanted: UInt64?) throws {
            link.send(.identifySystem)
            guard case .row(let fields) = try next(), let text = fields.first, let text, let found = UInt64(text) else {
                throw LinkError(.protocolViolation, "the upstream does not say which cluster it is")
            }
            guard found == wanted ?? found else {
                throw ArchiveError(
                    .refused,
                    "the upstream is the cluster with system identifier \(found), the archive is of \(wanted ?? 0)",
                    hint: "nothing is fetched from another cluster"
                )
            }
        }

        func reply() {
            let clock = PostgresTime(unixMicroseconds: SystemClock.now())
            // Nothing is durable here: 0/0 keeps us from being counted as a synchronous standby.
            link.send(StandbyStatus(written: .invalid, flushed: .invalid, clock: clock, replyRequested: false))
        }

        /// What comes next; an error or the connection's end is thrown.
        func next() throws -> ReplicationEvent {
            let deadline = Deadline(seconds: UpstreamSegments.silenceLimitSeconds)
            while true {
                switch link.next() {
                case .serverError(let state, let message)?:
                    // 58P01: a WAL segment that was removed, a history that is not there (walsender.c).
                    if state == "58P01" || state == "XX000" || state == "22023" {
                        throw Unavailable(description: "the upstream says: \(message)")
                    }
                    throw LinkError(state.map(LinkError.kind) ?? .server, message, sqlState: state)
                case .connectionLost(let reason)?: throw LinkError(.unreachable, reason)
                case let event?: return event
                case nil: break
                }
                guard !deadline.hasPassed else {
                    throw Unavailable(description: "the upstream sent nothing more for some time")
                }
                let wanted: PollEvents = link.hasOutput ? [.readable, .writable] : .readable
                let ready = try Poll.wait(
                    [PollItem(link.socket, wanted)],
                    timeoutMilliseconds: min(1000, deadline.millisecondsLeft)
                )
                if let events = ready.first, events.contains(.writable) { link.flush() }
                link.readInput()
            }
        }
    }
}
