package import WALFormat

/// The receiving side of a replication connection as a pure state machine: events in, actions out.
///
/// It knows neither sockets nor files nor clocks. One value serves one connection, through any number of timelines.
package struct ReplicationMachine: Sendable {
    /// When something happens: a monotonic clock for intervals, a calendar clock to put into messages.
    package struct Moment: Sendable {
        package let seconds: Double
        package let clock: PostgresTime

        package init(seconds: Double, clock: PostgresTime) {
            self.seconds = seconds
            self.clock = clock
        }
    }

    /// Up to the server's clock nothing was committed beyond `end`.
    package struct Heartbeat: Equatable, Sendable {
        package let clock: PostgresTime
        package let end: LSN
    }

    enum State: Equatable {
        case connecting
        case identifying
        case sizing
        case readingMode
        case readingSlot
        case droppingSlot
        case creatingSlot
        case fetchingHistory(TimelineID)
        case storingHistory(TimelineID)
        case lookingForHole
        case starting
        case streaming
        /// COPY has ended; the next timeline or the end of the command follows.
        case copyEnded
        /// The next timeline is known; the end of the command follows.
        case timelineEnded(next: TimelineID, at: LSN)
        case finished
    }

    package let settings: ReplicationSettings
    /// Where the archive ends; where it has a hole that the server can fill, the end of what is before it.
    private(set) var position: ArchivePosition?
    /// Up to where the server has removed what is missing here.
    let lost: LSN
    /// What was looked through for a hole, once.
    private var retained: RetainedSegments?
    var histories: [TimelineID: TimelineHistory]

    var state = State.connecting
    var identity: ServerIdentity?
    var isStandby = false
    var serverVersion = 0
    var segmentSize: SegmentSize?
    var slot: SlotState?
    var slotWasRecreated = false
    var wantedHistories: [TimelineID] = []
    /// What START_REPLICATION is for once all histories are here; nil before the first start was decided.
    var upcoming: StreamStart?
    var lastCommand: ReplicationCommand?

    /// The stream in progress.
    package internal(set) var stream: StreamStart?
    /// The next byte that the server must send.
    package internal(set) var expected = LSN.invalid
    /// The end of what is written here; 0/0 before the first byte of the stream.
    package internal(set) var written = LSN.invalid
    package internal(set) var recordEnd = LSN.invalid
    /// What may be reported as flushed; nil until known.
    package internal(set) var durable: LSN?
    /// The largest end of the server's WAL that was heard; never before `expected`.
    package internal(set) var serverEnd = LSN.invalid
    /// The newest of those that were found; nil before the second answer.
    package internal(set) var heartbeat: Heartbeat?

    var serverWaitsForSync = false
    var unsyncedSince: Double?
    /// Ends as soon as all up to `stopTarget` is durable; nothing more need be read.
    package internal(set) var isStopping = false
    /// The end of the last record when the stop was asked for.
    var stopTarget = LSN.invalid
    var isPaused = false
    var lastHeard = 0.0
    var lastReply = 0.0
    var lastHeartbeat = 0.0
    /// The server was asked for its clock, and has not answered.
    var isHeartbeatAwaited = false
    /// The server's clock in its last answer.
    var answeredClock: PostgresTime?
    var hasPinged = false

    /// Begins before the login; `position` is nil when the archive is empty, `histories` are those durable here.
    package init(
        settings: ReplicationSettings,
        position: ArchivePosition?,
        lost: LSN = .invalid,
        histories: [TimelineID: TimelineHistory] = [:]
    ) {
        self.settings = settings
        self.position = position
        self.lost = lost
        self.histories = histories
    }

    package var isStreaming: Bool { state == .streaming }
    /// Known from the first answers on.
    package var knownSegmentSize: SegmentSize? { segmentSize }
    package var knownSystemIdentifier: UInt64? { identity?.systemIdentifier }

    /// The way that leads to a stream's beginning; nil where its file was not to be had.
    package func history(of start: StreamStart) -> TimelineHistory? {
        let timeline = max(start.timeline, identity?.timeline ?? start.timeline)
        return timeline.rawValue > 1 ? histories[timeline] : TimelineHistory(timeline: timeline)
    }

    /// When the server was last heard, by our calendar clock.
    package internal(set) var heardAt: PostgresTime?

    package mutating func handle(_ event: ReplicationEvent, at now: Moment) -> [ReplicationAction] {
        guard state != .finished else { return [] }
        switch event {
        case .message(let message): return received(message, at: now)
        case .stored(let written, let recordEnd): return stored(written: written, recordEnd: recordEnd, at: now)
        case .durable(let position): return becameDurable(position, at: now)
        case .tick: return tick(at: now)
        case .paused(let paused): return pause(paused, at: now)
        case .stop: return stop(at: now)
        case .damaged(let reason): return finish(.damaged(reason))
        case .diverged(let divergence): return finish(.diverged(divergence))
        case .storageFailed(let reason, let isFull): return finish(isFull ? .diskFull(reason) : .storage(reason))
        case .connectionLost(let reason): return finish(.lost(reason))
        case .malformed(let message): return finish(.lost("the upstream sent \(message)"))
        default:
            heard(at: now)
            return handshake(event, at: now)
        }
    }

    private mutating func handshake(_ event: ReplicationEvent, at now: Moment) -> [ReplicationAction] {
        switch (state, event) {
        case (.connecting, .connected(let version, let standby)):
            return connected(serverVersion: version, isStandby: standby)
        case (.identifying, .row(let row)): return identified(row)
        case (.sizing, .row(let row)): return sized(row)
        case (.readingMode, .row(let row)): return modeRead(row)
        case (.readingSlot, .row(let row)): return slotRead(row)
        case (.creatingSlot, .row): return slotCreated()
        case (.droppingSlot, .commandComplete): return createSlot()
        case (.fetchingHistory(let timeline), .row(let row)): return historyFetched(timeline, row)
        case (.storingHistory(let timeline), .historyStored(let stored)) where timeline == stored:
            return fetchNextHistory()
        case (.storingHistory, .historyRefused(let timeline)): return finish(.diverged(.otherHistory(timeline)))
        case (.lookingForHole, .holeLookedFor(let before)): return startBefore(before)
        case (.starting, .copyStarted): return streamStarted(at: now)
        case (.streaming, .copyEnded):
            state = .copyEnded
            return []
        case (.starting, .row(let row)), (.copyEnded, .row(let row)): return timelineEnded(row)
        case (.timelineEnded(let next, let end), .commandComplete): return follow(next, from: end)
        case (.starting, .commandComplete), (.copyEnded, .commandComplete), (.streaming, .commandComplete):
            return finish(.serverShutDown)
        case (_, .serverError(let sqlState, let message)): return serverError(sqlState: sqlState, message: message)
        default: return finish(.lost("the upstream answered what was not asked (\(state))"))
        }
    }

    mutating func heard(at now: Moment) {
        lastHeard = now.seconds
        heardAt = now.clock
        hasPinged = false
    }

    mutating func finish(_ outcome: ReplicationOutcome) -> [ReplicationAction] {
        state = .finished
        return [.finish(outcome)]
    }

    private mutating func send(_ command: ReplicationCommand, _ next: State) -> [ReplicationAction] {
        lastCommand = command
        state = next
        return [.send(command)]
    }
}

// MARK: - Before the stream

extension ReplicationMachine {
    private mutating func connected(serverVersion: Int, isStandby: Bool?) -> [ReplicationAction] {
        guard PostgresMajor(rawValue: serverVersion / 10000) != nil else {
            return finish(
                .permanent("the upstream is PostgreSQL \(serverVersion / 10000), which is not supported (15 to 18 are)")
            )
        }
        self.isStandby = isStandby ?? false
        self.serverVersion = serverVersion
        return send(.identifySystem, .identifying)
    }

    private mutating func identified(_ row: [String?]) -> [ReplicationAction] {
        guard let identity = ServerIdentity(row: row) else {
            return finish(.lost("the upstream's answer to IDENTIFY_SYSTEM cannot be read"))
        }
        if let expected = settings.systemIdentifier, expected != identity.systemIdentifier {
            return finish(
                .permanent(
                    "the upstream is another cluster: its system identifier is \(identity.systemIdentifier), "
                        + "the archive's is \(expected)"
                )
            )
        }
        self.identity = identity
        serverEnd = identity.flushed
        return [.note(.connected(identity, serverVersion: serverVersion))] + send(.showSegmentSize, .sizing)
    }

    private mutating func sized(_ row: [String?]) -> [ReplicationAction] {
        guard let text = row.first.flatMap({ $0 }), let size = SegmentSize(setting: text) else {
            return finish(.lost("the upstream's wal_segment_size cannot be read"))
        }
        if let expected = settings.segmentSize, expected != size {
            return finish(.permanent("the upstream's WAL segments are of \(size), the archive's of \(expected)"))
        }
        segmentSize = size
        return settings.asksForFileMode ? send(.showDirectoryMode, .readingMode) : readSlot()
    }

    /// `0700` or `0750`.
    private mutating func modeRead(_ row: [String?]) -> [ReplicationAction] {
        guard let mode = row.first.flatMap({ $0 }).flatMap({ UInt32($0, radix: 8) }) else {
            return finish(.lost("the upstream's data_directory_mode cannot be read"))
        }
        return (mode & 0o040 != 0 ? [.note(.groupAccess)] : []) + readSlot()
    }

    private mutating func readSlot() -> [ReplicationAction] {
        guard let slot = settings.slot else { return historiesFrom(identity) }
        return send(.readSlot(slot), .readingSlot)
    }

    private mutating func slotRead(_ row: [String?]) -> [ReplicationAction] {
        guard let name = settings.slot, let slot = SlotState(row: row) else {
            return finish(.permanent("the replication slot is not a physical one"))
        }
        self.slot = slot
        guard slot == .missing else { return historiesFrom(identity) }
        guard settings.recreatesSlot else {
            return finish(.lost("the upstream has no replication slot \"\(name)\""))
        }
        return createSlot()
    }

    private mutating func createSlot() -> [ReplicationAction] {
        guard let name = settings.slot, !slotWasRecreated else {
            return finish(.lost("the replication slot was created and is not there"))
        }
        slotWasRecreated = true
        return send(.createSlot(name), .creatingSlot)
    }

    private mutating func slotCreated() -> [ReplicationAction] {
        guard let name = settings.slot else { return finish(.lost("no slot was to be created")) }
        return [.note(.slotCreated(name))] + send(.readSlot(name), .readingSlot)
    }

    /// Each timeline's history that the server is on, and of its ancestors those that are not here.
    private mutating func historiesFrom(_ identity: ServerIdentity?) -> [ReplicationAction] {
        guard let identity else { return finish(.lost("the upstream was not identified")) }
        wantedHistories = identity.timeline.rawValue > 1 ? [identity.timeline] : []
        return fetchNextHistory()
    }

    private mutating func historyFetched(_ timeline: TimelineID, _ row: [String?]) -> [ReplicationAction] {
        guard row.count >= 2, row[0] == timeline.historyFileName, let text = row[1] else {
            return finish(.lost("the upstream's history of timeline \(timeline) cannot be read"))
        }
        do {
            let history = try TimelineHistory(timeline: timeline, text: text)
            histories[timeline] = history
            for ancestor in history.ancestors.reversed()
            where ancestor.timeline.rawValue > 1 && histories[ancestor.timeline] == nil {
                if !wantedHistories.contains(ancestor.timeline) { wantedHistories.append(ancestor.timeline) }
            }
        } catch {
            return finish(.damaged("the upstream's history of timeline \(timeline): \(error)"))
        }
        state = .storingHistory(timeline)
        return [.storeHistory(timeline, text: text)]
    }

    private mutating func fetchNextHistory() -> [ReplicationAction] {
        if !wantedHistories.isEmpty {
            let timeline = wantedHistories.removeFirst()
            return send(.timelineHistory(timeline), .fetchingHistory(timeline))
        }
        return start()
    }

    /// What the slot keeps for us; nil when nothing says that, as a slot that was just made does not.
    private var restart: LSN? {
        guard case .physical(let restart, _) = slot, !slotWasRecreated else { return nil }
        return restart
    }

    /// Goes on at the hole, if there is one: `before` is the end of what comes before it.
    private mutating func startBefore(_ before: ArchivePosition?) -> [ReplicationAction] {
        if let before {
            // To report less than the slot has would move it back to what may be gone.
            let isKnown = before.isKnown && before.recordEnd >= restart ?? .invalid
            position = ArchivePosition(
                timeline: before.timeline,
                request: before.request,
                recordEnd: before.recordEnd,
                isKnown: isKnown
            )
        }
        return start()
    }

    private mutating func start() -> [ReplicationAction] {
        if let upcoming { return open(upcoming) }
        guard let identity, let segmentSize else { return finish(.lost("the upstream was not identified")) }
        let history =
            identity.timeline.rawValue > 1
            ? histories[identity.timeline] : TimelineHistory(timeline: identity.timeline)
        guard let history else {
            return finish(.lost("the upstream does not give the history of its timeline \(identity.timeline)"))
        }
        let decision = StreamStart.decide(
            position: position,
            identity: identity,
            slot: slot,
            history: history,
            segmentSize: segmentSize
        )
        switch decision {
        case .failure(.aheadOfServer(let server, let ours)) where isStandby:
            return finish(.lost("the upstream is a standby that has reached \(server), before our \(ours)"))
        case .failure(let divergence):
            return finish(.diverged(divergence))
        case .success(let start):
            if let position, retained == nil,
                let retained = RetainedSegments(
                    before: start,
                    position: position,
                    restart: restart,
                    lost: lost,
                    history: history,
                    segmentSize: segmentSize
                )
            {
                self.retained = retained
                state = .lookingForHole
                return [.lookForHole(retained)]
            }
            if case .fork = start.kind, let ours = position?.recordEnd {
                return [.note(.forked(start, ours: ours))] + open(start)
            }
            return open(start)
        }
    }

    private mutating func open(_ start: StreamStart) -> [ReplicationAction] {
        stream = start
        upcoming = nil
        expected = start.position
        written = .invalid
        recordEnd = start.durable ?? start.position
        durable = start.durable
        unsyncedSince = nil
        // A standby that was promoted may have had more of the timeline it left.
        if let identity, start.timeline > identity.timeline { serverEnd = start.position }
        let command = ReplicationCommand.startReplication(
            slot: settings.slot,
            position: start.position,
            timeline: start.timeline
        )
        return [.openStream(start)] + send(command, .starting)
    }

    private mutating func serverError(sqlState: String?, message: String) -> [ReplicationAction] {
        if case .fetchingHistory(let timeline) = state, sqlState == "58P01" {
            // The file is gone upstream. For an ancestor that is a pity, for its own timeline we may have it.
            return [.note(.historyMissing(timeline, message: message))] + fetchNextHistory()
        }
        if state == .starting, sqlState == "55000", let name = settings.slot, settings.recreatesSlot, !slotWasRecreated
        {
            // Invalidated (18 refuses such a slot at once). A new one helps if the WAL is still there.
            upcoming = stream
            return [.note(.slotInvalid(name, message: message))] + send(.dropSlot(name), .droppingSlot)
        }
        if sqlState == "58P01", case .startReplication = lastCommand, let stream, let segmentSize, let retained,
            expected < retained.end
        {
            let name = SegmentName(timeline: stream.timeline, containing: expected, size: segmentSize)
            return finish(.holeLost(name, end: segmentSize.segmentEnd(of: expected), message))
        }
        return finish(
            ServerErrorClass.outcome(
                sqlState: sqlState,
                message: message,
                command: lastCommand,
                position: position?.recordEnd,
                flushed: isStandby ? nil : identity?.flushed
            )
        )
    }
}

// MARK: - Between two timelines

extension ReplicationMachine {
    private mutating func timelineEnded(_ row: [String?]) -> [ReplicationAction] {
        guard let stream, row.count >= 2, let next = row[0].flatMap({ UInt32($0) }).map({ TimelineID($0) }),
            let end = row[1].flatMap({ LSN($0) })
        else { return finish(.lost("the upstream's next timeline cannot be read")) }
        guard next > stream.timeline, end <= max(expected, durable ?? .invalid) else {
            return finish(
                .lost("the upstream's timeline \(next) cannot follow timeline \(stream.timeline) at \(end)")
            )
        }
        state = .timelineEnded(next: next, at: end)
        return [.note(.timelineEnded(stream.timeline, at: end, next: next)), .closeStream]
    }

    private mutating func follow(_ next: TimelineID, from end: LSN) -> [ReplicationAction] {
        guard let segmentSize else { return finish(.lost("the upstream was not identified")) }
        upcoming = StreamStart.fork(from: end, to: next, known: durable != nil, segmentSize: segmentSize)
        wantedHistories = histories[next] == nil ? [next] : []
        return fetchNextHistory()
    }
}
