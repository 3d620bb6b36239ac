package import WALFormat

/// What speaks for this host's clock when expiry wants to remove most of what there is.
///
/// Pure. Snapshots are as old as this clock says; when it jumps ahead, all are old at once.
package struct ClockEvidence: Sendable {
    /// Clocks that differ by more are not both right.
    package static let toleranceSeconds = 86_400.0

    /// When the upstream was heard last, by this clock, and what its own said then.
    package var heardAt: PostgresTime?
    package var upstreamClock: PostgresTime?
    /// When the newest snapshot was made, by this clock: counts where nothing was heard at all.
    package var newestSnapshot: PostgresTime?

    package init(heardAt: PostgresTime?, upstreamClock: PostgresTime?, newestSnapshot: PostgresTime?) {
        self.heardAt = heardAt
        self.upstreamClock = upstreamClock
        self.newestSnapshot = newestSnapshot
    }

    /// Why the clock is not believed; nil when it is.
    package func objection(now: PostgresTime) -> String? {
        guard let last = heardAt ?? newestSnapshot else { return nil }
        let silence = now.seconds(since: last)
        guard silence.magnitude <= Self.toleranceSeconds else {
            return "by this host's clock the upstream was last heard \(Self.days(silence))"
        }
        guard let heardAt, let upstreamClock else { return nil }
        let ahead = heardAt.seconds(since: upstreamClock)
        guard ahead.magnitude > Self.toleranceSeconds else { return nil }
        return "the upstream's clock says that this is \(Self.days(ahead))"
    }

    /// Whether so many of so many are more than expiry's usual work.
    package static func isMassDeletion(_ deleted: Int, of all: Int) -> Bool { deleted > all / 2 }

    private static func days(_ seconds: Double) -> String {
        let days = Int(min(seconds.magnitude / 86_400, 1e6))
        return "\(days == 1 ? "a day" : "\(days) days") \(seconds < 0 ? "from now" : "ago")"
    }
}
