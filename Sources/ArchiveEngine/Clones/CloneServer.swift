package import ArchiveModel
import Platform
package import PostgresLink
package import WALFormat
import WALStore

/// A clone as a running PostgreSQL server.
package struct CloneServer: Sendable {
    let container: Container
    package let record: CloneRecord
    private let walIsChecked: Bool

    /// - Parameter walIsChecked: all WAL up to the clone's target has just been read, when the target was looked up.
    package init(_ container: Container, _ record: CloneRecord, walIsChecked: Bool = false) {
        self.container = container
        self.record = record
        self.walIsChecked = walIsChecked
    }

    private var paths: ClonePaths { container.paths.clone(record.name) }

    package var running: RunningServer? { PostgresServer.find(dataDirectory: paths.tree.data) }
    package var isRunning: Bool { running != nil }
    /// Whether it runs, with its recovery behind it.
    package var isReady: Bool { isRunning && CloneStage(record, paths.tree) == .ready }
    package var logDirectory: String { paths.log }

    /// What a start cost.
    package struct Started: Codable, Sendable {
        package var seconds: Double
        /// Not the record's where that one was in use.
        package var port: Int
        package var replayedBytes: UInt64
        package var stop: LSN?
        package var timeline: TimelineID?
    }

    /// Starts the server, recovers it to its target at the first start, and returns when it takes writes.
    ///
    /// A server that a killed command left on its way there is taken over.
    package func start(progress: Progress = .silent, interruption: Interruption? = nil) throws -> Started {
        try locked(for: "clone start") { try $0.bringUpTimed(progress, interruption) }
    }

    /// The same for whoever holds the clone's lock.
    func startLocked(_ progress: Progress, _ interruption: Interruption?) throws -> Started {
        try bringUpTimed(progress, interruption)
    }

    /// - Parameter timeoutSeconds: nil means as long as it takes, 0 not at all.
    /// - Returns: false when it was not running.
    package func stop(mode: RunningServer.StopMode = .fast, timeoutSeconds: Double? = nil) throws -> Bool {
        // Not while it is waited for: a sharper stop may come.
        let stopping = try locked(for: "clone stop", waitSeconds: min(10, max(1, timeoutSeconds ?? 10))) { clone in
            let server = clone.running
            // Who stops it may want it again in a moment.
            if server != nil { CloneUse.note(container, record.name) }
            try server?.beginStop(mode)
            return server
        }
        guard let stopping else { return false }
        guard timeoutSeconds != 0, !stopping.waitForExit(timeoutSeconds: timeoutSeconds) else { return true }
        throw ArchiveError(
            .failed,
            "the time is over: clone '\(record.name)' is still stopping",
            hint: "it goes on; 'pgarchive clone stop \(record.name) -m fast' sends its clients away, "
                + "'-m immediate' stops it as in a crash"
        )
    }

    package func restart(
        mode: RunningServer.StopMode = .fast,
        progress: Progress = .silent,
        interruption: Interruption? = nil
    ) throws -> Started {
        try locked(for: "clone restart") {
            _ = try $0.takeDown(mode, timeoutSeconds: 60)
            return try $0.bringUpTimed(progress, interruption)
        }
    }

    package func reload() throws {
        guard let server = running else {
            throw ArchiveError(
                .conflict,
                "clone '\(record.name)' is not running",
                hint: "'pgarchive clone start \(record.name)'"
            )
        }
        // What a start would refuse does not get in by the way of a reload.
        if record.isReachable { try CloneReach(container, record).requireSafe() }
        try server.reload()
    }

    /// With no other command at work on the clone, and its record as it is then.
    private func locked<Result>(
        for work: String,
        waitSeconds: Double = 1,
        _ body: (CloneServer) throws -> Result
    ) throws -> Result {
        let lock = try CloneLock.take(container, record.name, for: work, waitSeconds: waitSeconds)
        defer { lock.release() }
        let current = try CloneCatalog(container).find(record.name, unfinishedToo: record.isUnfinished)
        return try body(CloneServer(container, current, walIsChecked: walIsChecked && current.stop == record.stop))
    }

    /// Lets the running server of a look go on to its record's stop, from the record's redo.
    ///
    /// WAL up to the old stop is all that its fetch has handed out so far. It waits by itself there, and PostgreSQL for
    /// it: so first the new limit, and then the fetch is woken.
    func goOn(progress: Progress, interruption: Interruption?) throws {
        try locked(for: "going on") { clone in
            guard let server = clone.running else {
                throw ArchiveError(.failed, "the throwaway server '\(record.name)' has ended")
            }
            progress.step("going on to \(clone.record.stop)")
            let configuration = CloneConfiguration(container: container, record: clone.record)
            try configuration.writeTarget(walIsChecked: clone.walIsChecked)
            try server.reload()
            try FileTree.removeFile(configuration.wal().endFile)
            do {
                let recovery = clone.recovery(of: server, progress, interruption)
                // It tells nothing of how long a start takes.
                let timeline = try clone.logged(recovery, learns: false)
                try clone.finish(timeline == nil ? .held : .recovered)
                progress.note(RecoveryLog.ending(clone.record))
            } catch {
                try? server.stop(.immediate, timeoutSeconds: 10)
                throw clone.failure(error)
            }
        }
    }

    // MARK: - Up

    private func bringUpTimed(_ progress: Progress, _ interruption: Interruption?) throws -> Started {
        let begin = SystemClock.monotonicSeconds()
        var started = try bringUp(progress, interruption)
        CloneUse.note(container, record.name)
        started.seconds = SystemClock.monotonicSeconds() - begin
        return started
    }

    private func bringUp(_ progress: Progress, _ interruption: Interruption?) throws -> Started {
        guard !record.isBranch else {
            throw ArchiveError(
                .refused,
                "'\(record.name)' is a branch point, and never runs",
                hint: "'pgarchive clone create \(record.name) NAME --start' makes a clone of it"
            )
        }
        if record.isReachable { try CloneReach(container, record).requireSafe() }
        // What it had after its first start need not be on disk.
        guard !record.isLook || record.state == .created else {
            throw ArchiveError(
                .refused,
                "'\(record.name)' is a throwaway server, and is started once only",
                hint: "'pgarchive psql' makes another; 'pgarchive clone create' makes a clone that stays"
            )
        }
        let stage = CloneStage(record, paths.tree)
        if let server = running {
            guard stage != .ready else {
                throw ArchiveError(
                    .conflict,
                    "clone '\(record.name)' is running already",
                    hint: "'pgarchive clone psql \(record.name)' connects to it"
                )
            }
            progress.step("taking over from a start that was killed")
            return try complete(server, stage, progress, interruption)
        }
        // Another program may have taken the port since it was given, even between a look and the start.
        var attemptsLeft = 5
        while true {
            attemptsLeft -= 1
            let current = CloneServer(container, try withFreePort(progress), walIsChecked: walIsChecked)
            do {
                return try current.launch(stage, progress, interruption)
            } catch let error as ArchiveError
                where error.code == .failed && attemptsLeft > 0 && !current.isPortFree
            {
                continue
            }
        }
    }

    private var isPortFree: Bool { LocalPort.isFree(record.port, everywhere: record.isReachable) }

    /// The clone's record, with another port when its own is in use.
    private func withFreePort(_ progress: Progress) throws -> CloneRecord {
        guard !isPortFree else { return record }
        return try ClonePorts.withLock(container) { port in
            progress.note("port \(record.port) is in use: clone '\(record.name)' gets \(port)")
            var moved = record
            moved.port = port
            try CloneCatalog(container).save(moved)
            return moved
        }
    }

    private func launch(_ stage: CloneStage, _ progress: Progress, _ interruption: Interruption?) throws -> Started {
        let configuration = CloneConfiguration(container: container, record: record)
        try FileTree.removeFile(configuration.wal().endFile)
        // Not synced: of a start that ended with its host it may be torn.
        FetchAhead.remove(in: paths.tree.writeAheadLog)
        try FaultPoint.pass("clone.beforeLaunch")
        return try PostgresServer.start(try configuration.launch(stage, walIsChecked: walIsChecked)) { server in
            try FaultPoint.pass("clone.launched")
            return try complete(server, stage, progress, interruption)
        }
    }

    /// Goes with a server that runs from its stage to one that takes writes.
    private func complete(
        _ server: RunningServer,
        _ stage: CloneStage,
        _ progress: Progress,
        _ interruption: Interruption?
    ) throws -> Started {
        let recovery = recovery(of: server, progress, interruption)
        do {
            var started = Started(seconds: 0, port: record.port, replayedBytes: 0)
            switch stage {
            case .recovering:
                progress.step("recovering to \(record.stop)")
                let timeline = try logged(recovery)
                try finish(timeline == nil ? .held : .recovered)
                progress.note(RecoveryLog.ending(record))
                started.timeline = timeline
                started.replayedBytes = record.stop.bytes(since: record.redo)
                started.stop = record.stop
            case .unchecked:
                progress.step("starting, and checking where its recovery ended")
                try waitUntilReady(server, interruption)
                FetchAhead.remove(in: paths.tree.writeAheadLog)
                let timeline = try recovery.checkSwitchPoint()
                try detachSubscriptions()
                try finish(.recovered)
                RecoveryLog(path: paths.recoveryLog, record: record).ended(timeline: timeline, seconds: nil)
                started.timeline = timeline
            case .ready:
                progress.step("starting")
                // Now nobody waits for it.
                try CloneCatalog(container).beginSync(of: record)
                try waitUntilReady(server, interruption)
            }
            return started
        } catch {
            try? server.stop(.immediate, timeoutSeconds: 10)
            throw failure(error)
        }
    }

    private func recovery(
        of server: RunningServer,
        _ progress: Progress,
        _ interruption: Interruption?
    ) -> TargetRecovery {
        TargetRecovery(
            title: "clone '\(record.name)'",
            server: server,
            redo: record.redo,
            wal: CloneConfiguration(container: container, record: record).wal(isChecked: walIsChecked),
            writeAheadLog: paths.tree.writeAheadLog,
            logDirectory: paths.log,
            logHint: "the whole log: 'pgarchive clone log \(record.name)'",
            connect: { try LocalLink.connect(container: container, port: record.port) },
            segmentSize: container.segmentSize,
            progress: progress,
            interruption: interruption,
            promoted: { try CloneSubscriptions.detach($0) }
        )
    }

    private func detachSubscriptions() throws {
        let connection = try LocalLink.connect(container: container, port: record.port)
        defer { connection.close() }
        try CloneSubscriptions.detach(connection)
    }

    /// Notes that the clone has recovered, and to where was checked.
    private func finish(_ state: CloneRecord.State) throws {
        var finished = record
        finished.state = state
        // With nothing to be done in it, it is made.
        if finished.setup == nil { finished.unfinished = nil }
        try FaultPoint.pass("clone.beforeRecovered")
        try CloneCatalog(container).save(finished)
    }

    /// Recovers, and leaves a note of it.
    ///
    /// - Returns: its own timeline; nil when it stays on the way to its target.
    private func logged(_ recovery: TargetRecovery, learns: Bool = true) throws -> TimelineID? {
        let log = RecoveryLog(path: paths.recoveryLog, record: record)
        let begin = SystemClock.monotonicSeconds()
        log.begins()
        do {
            let timeline = record.isLook ? try recovery.hold() : try recovery.run()
            let seconds = SystemClock.monotonicSeconds() - begin
            log.ended(timeline: timeline, seconds: seconds)
            if learns {
                ReplayRateFile(container).learn(bytes: record.stop.bytes(since: record.redo), seconds: seconds)
            }
            return timeline
        } catch {
            log.failed(error)
            throw error
        }
    }

    private func waitUntilReady(_ server: RunningServer, _ interruption: Interruption?) throws {
        do {
            try server.waitUntilReady(timeoutSeconds: nil, interrupt: interruption?.descriptor ?? -1)
        } catch {
            try interruption?.check()
            throw error
        }
    }

    /// Why the server did not come up, with the lines of its log that matter.
    private func failure(_ error: any Error) -> any Error {
        if let error = error as? ArchiveError { return error }
        return ArchiveError(
            .failed,
            "clone '\(record.name)' did not start: \(error)",
            hint: "the whole log: 'pgarchive clone log \(record.name)'",
            details: LogTail.reasons(directory: paths.log)
        )
    }

    private func takeDown(_ mode: RunningServer.StopMode, timeoutSeconds: Double) throws -> Bool {
        guard let server = running else { return false }
        do {
            try server.stop(mode, timeoutSeconds: timeoutSeconds)
            return true
        } catch {
            throw ArchiveError(
                .failed,
                "clone '\(record.name)' did not stop: \(error)",
                hint: "'pgarchive clone stop \(record.name) -m immediate'"
            )
        }
    }
}
