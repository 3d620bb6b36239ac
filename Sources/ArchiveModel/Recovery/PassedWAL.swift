package import WALFormat

/// WAL that need not be read again to find a target, and what a `StopRule` would know after it.
///
/// It goes from a snapshot's redo to `end` without a gap, was read whole when it came, and the target does not end
/// in it.
package struct PassedWAL: Hashable, Sendable {
    /// Where reading begins: a record's first byte, or the start of a segment.
    package var end: LSN
    /// The end of the last commit, abort or prepare before `end`, after which no database or tablespace was created
    /// or dropped.
    package var lastEnding: LSN
    package var lastCommit: StopRule.Ending?
    /// The latest time of all commits and aborts.
    package var newestTime: PostgresTime?
    /// Some time was earlier, by more than a second, than the latest before it.
    package var clockSteppedBack: Bool
    /// Of all changes of hot-standby parameters the highest values.
    package var parameters: HotStandbyParameters?
    /// The first record that is not replayed here.
    package var barrier: ReplayBarrier?
    /// Where full_page_writes was switched off first.
    package var fullPageWritesOff: LSN?

    package init(
        end: LSN,
        lastEnding: LSN,
        lastCommit: StopRule.Ending?,
        newestTime: PostgresTime?,
        clockSteppedBack: Bool,
        parameters: HotStandbyParameters?,
        barrier: ReplayBarrier? = nil,
        fullPageWritesOff: LSN? = nil
    ) {
        self.end = end
        self.lastEnding = lastEnding
        self.lastCommit = lastCommit
        self.newestTime = newestTime
        self.clockSteppedBack = clockSteppedBack
        self.parameters = parameters
        self.barrier = barrier
        self.fullPageWritesOff = fullPageWritesOff
    }
}

/// Where, of what was passed over, that lies which comes nearest to a name or number that is nowhere.
package struct NearWAL: Hashable, Sendable {
    /// In the order of WAL.
    package var restorePoints: [TargetSightings.RestorePoint]
    /// Segments with the transactions that have the nearest numbers.
    package var parts: [Range<LSN>]

    package init(restorePoints: [TargetSightings.RestorePoint] = [], parts: [Range<LSN>] = []) {
        self.restorePoints = restorePoints
        self.parts = parts
    }
}

/// What an index of the archive answers, so that of the WAL only the segment that decides is read.
///
/// An index may know less than there is, or nothing: each answer may be nil or empty, and then the WAL is read. It may
/// not be wrong: what it says must follow from segments that were read whole, in the form in which they are there.
package struct TargetIndex: Sendable {
    /// The longest stretch from `redo` along `path` that can be passed over for this target.
    ///
    /// Sound is an `end` at the start of a segment of the path, such that every segment from the one that holds `redo`
    /// up to there is complete and valid, and
    /// - for a time: no commit or abort in them is later (exclusive: as late) — the running maximum of each segment's
    ///   latest time, counted from the segment of `redo` on, finds it;
    /// - for a position and for `before`: `end` is at or before it;
    /// - for a transaction: its commit or abort is in none of them;
    /// - for a restore point: no point of that name is in them;
    /// - for `latest`: it is the start of the last valid segment.
    /// Some segment before `end` should hold the end of a transaction, so that `lastEnding` is exact; where a database
    /// or tablespace was created or dropped after the last end of a transaction, end before it.
    package var passOver: @Sendable (_ target: Target, _ redo: LSN, _ path: TimelinePath) throws -> PassedWAL?
    /// What is near a transaction or restore point, of all from `redo` on that can be passed over; nil means not known.
    package var near: @Sendable (_ target: Target, _ redo: LSN, _ path: TimelinePath) throws -> NearWAL?
    /// When tables of a name were dropped, on all timelines.
    package var drops: @Sendable (_ table: String) throws -> Drops
    /// The known table that is called nearly so, for a suggestion.
    package var nearest: @Sendable (_ table: String) throws -> String?
    /// The timelines on which an event begins at this position.
    package var timelinesOfEvent: @Sendable (_ position: LSN) throws -> Set<TimelineID>

    package struct Drops: Sendable {
        /// Newest first.
        package var known: [Drop]
        /// Of which the table is not known, which may be this one: where they are.
        package var unnamed: [(start: LSN, timeline: TimelineID)]

        package init(known: [Drop] = [], unnamed: [(start: LSN, timeline: TimelineID)] = []) {
            self.known = known
            self.unnamed = unnamed
        }
    }

    /// A table's end.
    package struct Drop: Hashable, Sendable {
        /// The first byte of the record that dropped it: the target is just before.
        package var start: LSN
        package var timeline: TimelineID
        package var time: PostgresTime?
        /// `database.schema.table`, as far as it is known.
        package var table: String

        package init(start: LSN, timeline: TimelineID, time: PostgresTime?, table: String) {
            self.start = start
            self.timeline = timeline
            self.time = time
            self.table = table
        }
    }

    package init(
        passOver: @escaping @Sendable (_ target: Target, _ redo: LSN, _ path: TimelinePath) throws -> PassedWAL?,
        near: @escaping @Sendable (_ target: Target, _ redo: LSN, _ path: TimelinePath) throws -> NearWAL? = {
            _,
            _,
            _ in
            nil
        },
        drops: @escaping @Sendable (_ table: String) throws -> Drops = { _ in Drops() },
        nearest: @escaping @Sendable (_ table: String) throws -> String? = { _ in nil },
        timelinesOfEvent: @escaping @Sendable (_ position: LSN) throws -> Set<TimelineID> = { _ in [] }
    ) {
        self.passOver = passOver
        self.near = near
        self.drops = drops
        self.nearest = nearest
        self.timelinesOfEvent = timelinesOfEvent
    }
}
