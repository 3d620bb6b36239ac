package import WALFormat

/// A clone's metadata (`clone.json`).
package struct CloneRecord: Codable, Hashable, Sendable {
    package static let currentFormat = 1

    package enum State: String, Codable, Sendable {
        /// The copy is being made; what is found in this state after a crash is removed.
        case creating
        /// Made, and not yet recovered to its target.
        case created
        /// Reached its target and was promoted: a server of its own.
        case recovered
        /// At its target as a hot standby, for those who only look.
        case held
        /// A branch point: a copy of a clone that is never started, for clones to be made of.
        case branch
        /// Being removed; what is found in this state is removed.
        case deleting

        /// The copy is complete.
        package var isMade: Bool { self == .created || self == .recovered || self == .held || self == .branch }
    }

    package var format: Int
    package var name: String
    package var snapshot: String
    /// The clone from which this one was duplicated.
    package var duplicateOf: String?
    package var createdAt: PostgresTime
    package var state: State
    package var port: Int
    /// What the user asked for, in their words.
    package var requested: String
    /// The instant that they meant, where it was one.
    package var targetTime: PostgresTime?
    /// Where recovery begins, for retention.
    package var redo: LSN
    /// The timelines to follow, oldest first; the last one is the target's.
    package var path: TimelinePath
    /// Recovery ends exactly here: the end of the last record wanted.
    package var stop: LSN
    /// Commit time of the last transaction included, where one is known.
    package var lastTransactionTime: PostgresTime?
    package var lastTransactionID: UInt32?
    /// The first transaction left out, where there is one close by.
    package var firstLeftOut: PostgresTime?
    package var firstLeftOutTransactionID: UInt32?
    /// Hot-standby parameters that recovery to `stop` needs.
    package var parameters: HotStandbyParameters
    /// Of a look, which is not promoted: it is removed after this instant, once nobody uses it.
    ///
    /// Nil for a clone proper.
    package var keptUntil: PostgresTime?

    /// Of a look that had to be promoted: the next transaction's id, by which is seen that somebody has written.
    package var nextTransaction: String?

    /// Whose it is and what for, in their words.
    package var owner: String?
    package var note: String?
    /// It is removed after this instant, unless it is protected or in use; nil: it stays until it is deleted.
    package var expiresAt: PostgresTime?
    /// Nothing stops, resets or removes it until this is taken back; nil for false.
    package var protected: Bool?
    /// The branch point that it was made of.
    package var branch: String?
    /// It listens beyond this host, by TLS; nil for false.
    package var reachable: Bool?
    /// Its making has not ended, and what finds it without its maker removes it; nil for false.
    package var unfinished: Bool?
    /// What was done in it after its recovery, and is done again when it is reset.
    package var setup: CloneSetup?

    package var isLook: Bool { keptUntil != nil }
    package var isBranch: Bool { state == .branch }
    package var isProtected: Bool { protected ?? false }
    package var isReachable: Bool { reachable ?? false }
    package var isUnfinished: Bool { unfinished ?? false }

    /// Of a look that stands at its stop: it has to recover from there to a plan's.
    package mutating func goOn(to plan: RestorePlan, requested: String) {
        state = .created
        self.requested = requested
        targetTime = plan.targetTime
        redo = stop
        stop = plan.stop
        holds(plan)
    }

    /// Notes what is in it, and what no longer.
    package mutating func holds(_ plan: RestorePlan) {
        lastTransactionTime = plan.lastTransactionTime
        lastTransactionID = plan.lastTransactionID
        firstLeftOut = plan.firstLeftOut
        firstLeftOutTransactionID = plan.firstLeftOutTransactionID
    }

    package init(
        name: String,
        snapshot: String,
        createdAt: PostgresTime,
        state: State,
        port: Int,
        requested: String,
        targetTime: PostgresTime? = nil,
        redo: LSN,
        path: TimelinePath,
        stop: LSN,
        lastTransactionTime: PostgresTime?,
        parameters: HotStandbyParameters,
        keptUntil: PostgresTime? = nil
    ) {
        self.format = Self.currentFormat
        self.name = name
        self.snapshot = snapshot
        self.createdAt = createdAt
        self.state = state
        self.port = port
        self.requested = requested
        self.targetTime = targetTime
        self.redo = redo
        self.path = path
        self.stop = stop
        self.lastTransactionTime = lastTransactionTime
        self.parameters = parameters
        self.keptUntil = keptUntil
    }
}

/// What is done in a clone once it has recovered, before anybody else may connect.
package struct CloneSetup: Codable, Hashable, Sendable {
    package struct Script: Codable, Hashable, Sendable {
        /// Its name in the clone's directory.
        package var file: String
        /// What its user calls it.
        package var title: String

        package init(file: String, title: String) {
            self.file = file
            self.title = title
        }
    }

    /// SQL for psql, in this order.
    package var scripts: [Script]
    /// The database that they begin in.
    package var database: String
    /// Each role that can log in gets a new random password.
    package var passwords: Bool

    package var isEmpty: Bool { scripts.isEmpty && !passwords }

    package init(scripts: [Script] = [], database: String = "postgres", passwords: Bool = false) {
        self.scripts = scripts
        self.database = database
        self.passwords = passwords
    }
}
