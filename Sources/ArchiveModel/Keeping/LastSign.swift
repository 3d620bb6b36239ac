package import WALFormat

/// When the archive last had word of the upstream: an expiry date that nobody gave for this run is measured from then.
///
/// Pure. While nothing is received, new snapshots are all of the same moment; an expiry that went on by this host's
/// clock would leave nothing else in the end.
package enum LastSign: Hashable, Sendable {
    /// The upstream is there; for want of room nothing is received, and expiry is what makes room.
    case waitsForRoom
    case at(PostgresTime)
    /// Nothing tells.
    case unknown

    /// Anything shorter is no silence: a restart, or clocks that differ a little.
    package static let toleranceSeconds = 3600.0

    /// - Parameters:
    ///   - receiver: what the receiver said last; nil where it never ran.
    ///   - lastCommit: the newest that a snapshot has, by the upstream's clock: counts where nothing was heard since
    ///     the receiver was started.
    package init(receiver: ReceiverStatus?, lastCommit: PostgresTime?, now: PostgresTime) {
        if let receiver, receiver.state == .diskFull,
            now.seconds(since: receiver.updatedAt) <= Self.toleranceSeconds
        {
            self = .waitsForRoom
        } else if let heardAt = receiver?.heardAt, let clock = receiver?.heartbeatClock {
            // An upstream that answers and sends no WAL, as after a gap, is heard, but its clock in the stream stands.
            self = .at(min(heardAt, clock))
        } else {
            self = lastCommit.map { .at($0) } ?? .unknown
        }
    }

    /// The date put back by the silence; `-infinity`, by which nothing expires, where nothing tells of the upstream.
    package func measured(_ date: PostgresTime, now: PostgresTime) -> PostgresTime {
        switch self {
        case .waitsForRoom: return date
        case .unknown: return PostgresTime(rawValue: .min)
        case .at(let sign):
            guard now.seconds(since: sign) > Self.toleranceSeconds else { return date }
            let (silence, isTooLong) = now.rawValue.subtractingReportingOverflow(sign.rawValue)
            let (measured, isTooEarly) = date.rawValue.subtractingReportingOverflow(silence)
            return PostgresTime(rawValue: isTooLong || isTooEarly ? .min : measured)
        }
    }
}
