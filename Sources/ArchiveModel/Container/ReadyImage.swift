package import WALFormat

/// The metadata of a snapshot's image (`ready.json`), written last: without it there is no image.
///
/// An image is the snapshot recovered to its own moment, promoted, checkpointed and shut down: a copy of it takes
/// writes as soon as its server runs.
package struct ReadyImage: Codable, Hashable, Sendable {
    package static let currentFormat = 1

    package var format: Int
    /// How the snapshot's own moment was reached.
    package var plan: RestorePlan
    /// Its own, which begins at the plan's stop.
    package var timeline: TimelineID
    package var madeAt: PostgresTime
    /// Asked for by name: it stays as long as its snapshot does.
    package var isAskedFor: Bool
    /// Its clones have subscriptions, to be detached at their first start; nil where that is not known.
    package var hasSubscriptions: Bool?

    package init(
        plan: RestorePlan,
        timeline: TimelineID,
        madeAt: PostgresTime,
        isAskedFor: Bool,
        hasSubscriptions: Bool? = nil
    ) {
        self.format = Self.currentFormat
        self.plan = plan
        self.timeline = timeline
        self.madeAt = madeAt
        self.isAskedFor = isAskedFor
        self.hasSubscriptions = hasSubscriptions
    }

    /// Whether it is of this very moment.
    package func serves(_ stop: LSN, _ path: TimelinePath) -> Bool { plan.stop == stop && plan.path == path }
}
