package import WALFormat

/// Which clones are stopped because nobody uses them, which are removed because their time is over, and why the others
/// stay.
///
/// Pure: the same facts give the same plan.
package struct CloneExpiryPlan: Hashable, Sendable {
    /// What is known of a clone, or of a branch point.
    package struct Clone: Hashable, Sendable {
        package var name: String
        package var isProtected: Bool
        package var expiresAt: PostgresTime?
        package var isRunning: Bool
        /// Clients that are connected; nil where it cannot be told.
        package var clients: Int?
        /// Another command is at work on it.
        package var isLocked: Bool
        package var lastUsed: PostgresTime
        /// Somebody did use it: `lastUsed` is not only its creation.
        package var wasUsed: Bool

        package init(
            name: String,
            isProtected: Bool = false,
            expiresAt: PostgresTime? = nil,
            isRunning: Bool = false,
            clients: Int? = 0,
            isLocked: Bool = false,
            lastUsed: PostgresTime,
            wasUsed: Bool = true
        ) {
            self.name = name
            self.isProtected = isProtected
            self.expiresAt = expiresAt
            self.isRunning = isRunning
            self.clients = clients
            self.isLocked = isLocked
            self.lastUsed = lastUsed
            self.wasUsed = wasUsed
        }
    }

    package enum Deed: String, Hashable, Sendable, Codable {
        case stop
        case delete
    }

    package struct Step: Hashable, Sendable {
        package let clone: String
        package let deed: Deed
        /// Since when it has not been used, or when its time was over.
        package let since: PostgresTime
    }

    package enum Reason: Hashable, Sendable {
        case protected
        /// It has no time after which it goes.
        case stays
        case until(PostgresTime)
        /// Its time is over, and it is in use.
        case inUse
        /// Its time is over, and it was used a moment ago.
        case justUsed(PostgresTime)
    }

    package struct Kept: Hashable, Sendable {
        package let clone: String
        package let reason: Reason
    }

    /// Who used it so lately may come back at once: what is expired is let be for so long.
    package static let graceSeconds = 300.0

    package let steps: [Step]
    /// Those that are not removed.
    package let kept: [Kept]

    /// - Parameter idleStop: seconds without use after which a clone is stopped; nil for never.
    package init(clones: [Clone], now: PostgresTime, idleStop: Double?) {
        var steps: [Step] = []
        var kept: [Kept] = []
        for clone in clones.sorted(by: { $0.name < $1.name }) {
            func keep(_ reason: Reason) { kept.append(Kept(clone: clone.name, reason: reason)) }
            let unused = now.seconds(since: clone.lastUsed)
            let isInUse = clone.isLocked || (clone.isRunning && clone.clients != 0)
            if clone.isProtected {
                keep(.protected)
                continue
            }
            if let end = clone.expiresAt, end <= now {
                if isInUse {
                    keep(.inUse)
                } else if clone.isRunning || clone.wasUsed, unused < Self.graceSeconds {
                    keep(.justUsed(clone.lastUsed))
                } else {
                    steps.append(Step(clone: clone.name, deed: .delete, since: end))
                }
                continue
            }
            keep(clone.expiresAt.map { .until($0) } ?? .stays)
            if let idleStop, clone.isRunning, !isInUse, unused >= idleStop {
                steps.append(Step(clone: clone.name, deed: .stop, since: clone.lastUsed))
            }
        }
        self.steps = steps
        self.kept = kept
    }
}
