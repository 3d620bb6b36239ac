internal import ArchiveModel
internal import Platform
internal import PostgresLink
internal import WALFormat
internal import WALStore

/// A partial segment of which a write or sync failed.
struct DoubtfulSegment {
    let name: SegmentName
    let isFull: Bool

    /// - Returns: where it is kept.
    func setAside(in directory: String) throws(SystemError) -> String {
        try SegmentWriter.setAside(directory: directory, name: name, isFull: isFull)
    }
}

/// One replication connection from login to end: performs what `ReplicationMachine` decides.
final class ReceiverSession {
    /// Messages taken before timers and other descriptors are looked at.
    private static let messagesPerRound = 64
    private let options: ReceiverOptions
    private let link: ReplicationLink
    private var tail: ArchiveTail?
    private var missing: MissingWAL?
    /// When to look for it: not before it shows that the upstream has what was asked for.
    private var missingDueSeconds = Double.infinity
    private let interruption: ReceiverStop
    private let status: ReceiverStatusFile
    private let log: ReceiverLog
    private var machine: ReplicationMachine
    private let changed: EventDescriptor
    private var store: StreamStore?
    private var segmentSize: SegmentSize?
    /// The rights of what is made here.
    private var fileMode: UInt32 = 0o600
    private let compressor: (SegmentSize) throws -> SegmentCompressor?

    private var outcome: ReplicationOutcome?
    private var durableSeen: LSN?
    /// The disk is full.
    private var isStalled = false
    /// Too much waits to be written.
    private var isBacklogged = false
    private var silence = DiskSilence()
    private var mayHaveInput = false
    /// When the last wait for events ended.
    private var wokeSeconds = SystemClock.monotonicSeconds()
    private var isToldToStop = false
    /// Since when nothing more is taken and nothing became durable.
    private var stopSeconds: Double?
    /// Whether WAL became durable over this connection.
    private(set) var madeProgress = false
    /// The segment that could not be set aside: nothing may go on with it.
    private(set) var doubtful: DoubtfulSegment?
    /// The writing thread may still be at work, on a disk that hangs: no other one may begin.
    private(set) var isAbandoned = false

    init(
        options: ReceiverOptions,
        link: ReplicationLink,
        tail: ArchiveTail?,
        lost: LSN,
        segmentSize: SegmentSize?,
        histories: [TimelineID: TimelineHistory],
        interruption: ReceiverStop,
        status: ReceiverStatusFile,
        log: ReceiverLog,
        compressor: @escaping (SegmentSize) throws -> SegmentCompressor?
    ) throws {
        self.compressor = compressor
        self.options = options
        self.link = link
        self.tail = tail
        self.interruption = interruption
        self.status = status
        self.log = log
        self.segmentSize = segmentSize
        changed = try EventDescriptor()
        var settings = options.replicationSettings
        settings.segmentSize = segmentSize
        machine = ReplicationMachine(
            settings: settings,
            position: tail.map { ArchivePosition($0) },
            lost: lost,
            histories: histories
        )
    }

    /// Runs until the connection is over.
    func run() -> ReplicationOutcome {
        feed(link.greeting)
        while outcome == nil {
            takeInput()
            guard outcome == nil else { break }
            wait()
        }
        endStore()
        return outcome ?? .stopped
    }

    // MARK: - Events

    private var now: ReplicationMachine.Moment {
        ReplicationMachine.Moment(seconds: SystemClock.monotonicSeconds(), clock: ReceiverStatusFile.now())
    }

    /// Nothing is read: there is no room for it, or this is to end where it is.
    private var isPaused: Bool { isBacklogged || machine.isStopping }

    /// Hands an event to the machine and does what it says, with what follows from that.
    private func feed(_ event: ReplicationEvent) {
        var events = [event]
        while !events.isEmpty, outcome == nil {
            for action in machine.handle(events.removeFirst(), at: now) {
                if let answer = perform(action) { events.append(answer) }
            }
        }
    }

    private func takeInput() {
        mayHaveInput = false
        for _ in 0..<Self.messagesPerRound {
            guard outcome == nil, !isPaused else { return }
            guard let event = link.next() else { return }
            feed(event)
        }
        mayHaveInput = true
    }

    private func wait() {
        let items = [
            PollItem(
                link.socket,
                (isPaused ? [] : PollEvents.readable).union(link.hasOutput ? .writable : [])
            ),
            PollItem(changed.raw),
            PollItem(interruption.descriptor),
        ]
        if SystemClock.monotonicSeconds() - wokeSeconds > 1 {
            // It was the disk that took so long: that is no silence of the upstream's.
            feed(.paused(isPaused))
        }
        guard let ready = try? Poll.wait(items, timeoutMilliseconds: timeoutMilliseconds) else {
            return feed(.connectionLost("polling failed"))
        }
        wokeSeconds = SystemClock.monotonicSeconds()
        if ready[0].contains(.writable) { link.flush() }
        if !isPaused, !ready[0].subtracting(.writable).isEmpty { link.readInput() }
        if isPaused, !ready[0].intersection([.failed, .hangUp, .invalid]).isEmpty {
            // Nobody reads now, and poll would return at once for ever.
            feed(.connectionLost("the connection was lost while nothing could be written"))
        }
        if !ready[1].isEmpty {
            changed.drain()
            takeProgress()
        }
        if !ready[2].isEmpty, interruption.isRaised, !isToldToStop {
            log.detail("told to stop")
            isToldToStop = true
            feed(.stop)
        }
        if machine.isStopping, stopSeconds == nil { stopSeconds = SystemClock.monotonicSeconds() }
        runTimers()
    }

    private var timeoutMilliseconds: Int32 {
        if mayHaveInput, !isPaused { return 0 }
        var due = min(machine.nextTickSeconds, status.nextSeconds)
        if let stopSeconds { due = min(due, stopSeconds + stopLimitSeconds) }
        let left = due - SystemClock.monotonicSeconds()
        return Int32(min(60_000, max(0, (left * 1000).rounded(.up))))
    }

    /// A disk that hangs must not keep a stop waiting for ever; what is not durable is not acknowledged either.
    private var stopLimitSeconds: Double { isStalled ? 2 : 20 }

    private func runTimers() {
        let seconds = SystemClock.monotonicSeconds()
        if seconds >= machine.nextTickSeconds { feed(.tick) }
        if let stopSeconds, seconds >= stopSeconds + stopLimitSeconds {
            outcome = outcome ?? .storage("stopped before all that was received could be made durable")
        }
        updateStatus()
        status.refresh()
    }

    // MARK: - Actions

    private func perform(_ action: ReplicationAction) -> ReplicationEvent? {
        switch action {
        case .send(let command): link.send(command)
        case .storeHistory(let timeline, let text): return storeHistory(timeline, text)
        case .lookForHole(let segments): return lookForHole(segments)
        case .openStream(let start): return open(start)
        case .store: return storeMessage()
        case .sync: store?.writer.sync()
        case .reply(let reply): link.send(reply)
        case .closeStream: return closeStream()
        case .endCopy:
            link.endCopy()
            link.finishSending(seconds: 2)
        case .note(let note): say(note)
        case .finish(let outcome): self.outcome = outcome
        }
        return nil
    }

    private func storeHistory(_ timeline: TimelineID, _ text: String) -> ReplicationEvent {
        let size = segmentSize ?? machine.knownSegmentSize ?? .standard
        do {
            let archive = WALDirectory(options.directory, segmentSize: size)
            try archive.storeHistory(timeline, text: text, mode: fileMode)
            return .historyStored(timeline)
        } catch let error as StoreError {
            log.write("error: \(error)")
            return .historyRefused(timeline)
        } catch {
            return failed(error)
        }
    }

    private func lookForHole(_ segments: RetainedSegments) -> ReplicationEvent {
        do {
            guard let (hole, before) = try options.firstHole(segments) else { return .holeLookedFor(nil) }
            log.writeOnce(
                "segment \(hole) is missing here, before others: receiving goes on from \(before.resume); what is here "
                    + "of what follows is compared, and kept"
            )
            tail = before
            status.status.received = before.resume
            status.status.durable = before.isKnown ? before.recordEnd : .invalid
            return .holeLookedFor(ArchivePosition(before))
        } catch {
            return failed(error)
        }
    }

    private func failed(_ error: any Error) -> ReplicationEvent {
        .storageFailed("\(error)", isFull: (error as? SystemError)?.isFull ?? false)
    }

    private func open(_ start: StreamStart) -> ReplicationEvent? {
        guard let size = segmentSize ?? machine.knownSegmentSize else {
            return .connectionLost("the segment size is not known")
        }
        segmentSize = size
        var scanner = SegmentScanner(
            startingAt: start.position,
            segmentSize: size,
            expectation: .init(systemIdentifier: machine.knownSystemIdentifier, timeline: start.timeline)
        )
        var keepsRest = true
        if start.kind == .resume, let tail {
            scanner = tail.scanner
            keepsRest = tail.keepsRest
        }
        // The start is asked for again when the slot was made anew.
        switch closeStream() {
        case nil, .durable: break
        case let failure?: return failure
        }
        do {
            store = try StreamStore(
                directory: options.directory,
                timeline: start.timeline,
                request: start.position,
                scanner: scanner,
                keepsRest: keepsRest,
                durable: start.durable,
                files: WALWriter.FileSettings(
                    syncs: options.syncs,
                    isShared: options.isShared,
                    mode: fileMode,
                    compressor: compressor(size)
                ),
                changed: changed
            )
        } catch {
            return failed(error)
        }
        durableSeen = start.durable
        silence.ends()
        missingDueSeconds = SystemClock.monotonicSeconds() + 1
        status.status.timeline = start.timeline
        return nil
    }

    private func storeMessage() -> ReplicationEvent? {
        guard let store else { return .connectionLost("data outside of a stream") }
        let payload = link.payload
        let start = LSN(machine.expected.rawValue &- UInt64(payload.count))
        switch store.store(payload, at: start) {
        case .stored:
            // Nothing follows at once that would make a whole block of it.
            if machine.serverEnd <= machine.expected { store.writer.flush() }
            noteBacklog()
            if !silence.isRunning { noteDurable() }
            return .stored(written: store.writer.written, recordEnd: store.recordEnd)
        case .damaged(let reason):
            return .damaged(reason)
        case .diverged(let position):
            return .diverged(.otherContent(position))
        }
    }

    private func noteBacklog() {
        guard let store else { return }
        let isTooMuch = store.writer.progress.isOverfull
        guard isTooMuch != isBacklogged else { return }
        isBacklogged = isTooMuch
        if !isTooMuch { mayHaveInput = true }
        feed(.paused(isPaused))
    }

    private func noteRoom(_ stall: String?) {
        guard (stall != nil) != isStalled else { return }
        isStalled = stall != nil
        if let stall {
            log.write("the disk is full, receiving pauses until there is room: \(stall)")
            status.enter(.diskFull, stall)
        } else {
            log.write("there is room again, receiving goes on")
            noteDurable()
        }
    }

    /// From here on the disk has time again.
    private func noteDurable() {
        let isBehind = (store?.recordEnd ?? .invalid) > durableSeen ?? .invalid
        if isBehind { silence.begins() } else { silence.ends() }
    }

    /// What the writing thread has done.
    private func takeProgress() {
        guard let store else { return }
        let progress = store.writer.progress
        if let failure = progress.failure {
            self.store = nil
            store.close()
            return feed(event(of: failure))
        }
        noteRoom(progress.stall)
        noteBacklog()
        if let durable = progress.durable, durable != durableSeen {
            durableSeen = durable
            noteDurable()
            madeProgress = true
            if stopSeconds != nil { stopSeconds = SystemClock.monotonicSeconds() }
            feed(.durable(durable))
        }
    }

    private func event(of failure: WALWriter.Failure) -> ReplicationEvent {
        switch failure {
        case .unsynced(let name, let reason, let isFull):
            setAside(name, reason, isFull: isFull)
            return .storageFailed(reason, isFull: isFull)
        case .conflict(let name, let reason):
            log.write("error: \(reason)")
            return .diverged(.otherContent(name.start(size: segmentSize ?? .standard) ?? .invalid))
        case .directory(let reason, let isFull):
            return .storageFailed(reason, isFull: isFull)
        }
    }

    private func setAside(_ name: SegmentName, _ reason: String, isFull: Bool) {
        let segment = DoubtfulSegment(name: name, isFull: isFull)
        do {
            let path = try segment.setAside(in: options.directory)
            log.write("error: \(reason); the partial segment is kept as \(path) and received anew")
        } catch {
            doubtful = segment
            log.write("error: \(reason); and \(error)")
        }
    }

    private func closeStream() -> ReplicationEvent? {
        guard let store else { return nil }
        store.close()
        self.store = nil
        let progress = store.writer.progress
        isStalled = false
        isBacklogged = false
        if let failure = progress.failure { return event(of: failure) }
        status.status.received = store.writer.written
        guard store.writer.written == store.received else {
            return .storageFailed("there was no room for all that was received", isFull: true)
        }
        guard let durable = progress.durable, durable != durableSeen else { return nil }
        durableSeen = durable
        madeProgress = true
        return .durable(durable)
    }

    private func endStore() {
        guard let store else { return }
        updateStatus()
        if let stopSeconds, SystemClock.monotonicSeconds() >= stopSeconds + stopLimitSeconds {
            isAbandoned = true
            // The disk hangs: the thread ends with the process. One that waits for room ends when it is told.
            guard isStalled else { return }
        }
        store.close()
        let progress = store.writer.progress
        if let failure = progress.failure { _ = event(of: failure) }
        if let durable = progress.durable {
            if durable != durableSeen { madeProgress = true }
            status.status.durable = durable
        }
        self.store = nil
    }

    // MARK: - What others see

    private func missingReason(_ segmentSize: SegmentSize) -> String? {
        guard SystemClock.monotonicSeconds() >= missingDueSeconds, options.statusFile != nil,
            let start = machine.stream, let history = machine.history(of: start)
        else { return missing?.alarm() }
        missingDueSeconds = .infinity
        missing = try? options.missing(before: start.position, history, segmentSize)
        let alarm = missing?.alarm()
        if let alarm { log.writeOnce("error: \(alarm)") }
        return alarm
    }

    private func say(_ note: ReplicationNote) {
        log.say(note, slot: options.slot)
        switch note {
        case .streaming: status.enter(.catchingUp)
        case .groupAccess: fileMode = 0o640
        default: break
        }
    }

    private func updateStatus() {
        var new = status.status
        new.upstreamEnd = max(machine.serverEnd, new.upstreamEnd)
        if let store {
            new.received = store.received
            new.durable = machine.durable ?? .invalid
            if machine.isStreaming, !isStalled {
                let lag = machine.serverEnd.bytes(since: store.received)
                new.state = lag > store.segmentSize.bytes ? .catchingUp : .streaming
                new.reason = silence.reason(durable: durableSeen, log) ?? missingReason(store.segmentSize)
            }
        }
        if let clock = machine.heardAt { new.heardAt = clock }
        if let heartbeat = machine.heartbeat {
            new.heartbeatClock = heartbeat.clock
            new.heartbeatEnd = heartbeat.end
        }
        let isNewState = new.state != status.status.state
        status.status = new
        if isNewState { status.enter(new.state, new.reason) }
    }
}
