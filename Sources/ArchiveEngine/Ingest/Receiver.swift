internal import ArchiveModel
internal import Glibc
internal import Platform
internal import PostgresLink
internal import WALFormat
internal import WALStore

/// Receives an upstream's WAL into a directory, until it is told to stop.
///
/// Nothing is kept of how far it got but the segments themselves: each connection begins with a look at the last one.
package enum Receiver {
    /// What its lock file says: others hold that lock too, to keep it out.
    static let lockDescription = "WAL receiver"

    /// Runs in the calling thread and one more; SIGTERM and SIGINT end it in order.
    ///
    /// - Returns: the process's exit code, 0 when it ended as asked.
    package static func run(_ options: ReceiverOptions) -> Int32 {
        LibpqEnvironment.clear()
        do {
            return run(options, interruption: try ReceiverStop())
        } catch {
            return report(error, options)
        }
    }

    /// The same, stopped by `interruption`.
    package static func run(_ options: ReceiverOptions, interruption: ReceiverStop) -> Int32 {
        do {
            let log = try ReceiverLog(path: options.logFile, messages: options.messages)
            let lock = try options.lockFile.map {
                try HeldLock.acquire($0, wait: 0.2, description: lockDescription)
            }
            defer { lock?.release() }
            // Also where nobody gave a lock file, and whatever another receiver was given.
            let directory = try Descriptor.open(options.directory, O_RDONLY | O_DIRECTORY)
            guard flock(directory.raw, LOCK_EX | LOCK_NB) == 0 else {
                throw ArchiveError(.conflict, "another receiver writes into \(options.directory)")
            }
            // Of a run that was killed: others may stumble over them.
            if options.isShared { try DurableFile.removeLeftovers(in: options.directory) }
            let target = try ConnectionString(options.connection)
            let loop = ReceiverLoop(options: options, target: target, interruption: interruption, log: log)
            return loop.run()
        } catch {
            return report(error, options)
        }
    }

    private static func report(_ error: any Error, _ options: ReceiverOptions) -> Int32 {
        if let log = try? ReceiverLog(path: options.logFile, messages: options.messages) {
            log.write("error: \(error)")
        }
        if let error = error as? ArchiveError { return error.code.rawValue }
        return error is LockConflict ? ErrorCode.conflict.rawValue : ErrorCode.failed.rawValue
    }
}

/// Connection after connection, with pauses in between.
private final class ReceiverLoop {
    private let options: ReceiverOptions
    private let target: ConnectionString
    private let interruption: ReceiverStop
    private let log: ReceiverLog
    private let status: ReceiverStatusFile
    private var retry: RetryPolicy
    /// To be set aside before anything else is done.
    private var doubtful: DoubtfulSegment?
    /// Up to where the upstream has removed what is missing here.
    private var lost = LSN.invalid
    private var segmentSize: SegmentSize?
    /// There can be no further connection in this process.
    private var isAbandoned = false
    private var compressor: SegmentCompressor?

    init(options: ReceiverOptions, target: ConnectionString, interruption: ReceiverStop, log: ReceiverLog) {
        self.options = options
        self.target = target
        self.interruption = interruption
        self.log = log
        status = ReceiverStatusFile(path: options.statusFile)
        retry = RetryPolicy(shortestSeconds: options.shortestRetrySeconds)
    }

    func run() -> Int32 {
        log.detail("receiving into \(options.directory) from \(target.shortened)")
        status.enter(.connecting)
        while true {
            let outcome = interruption.isRaised ? .stopped : attempt()
            if case .holeLost(let segment, let end, let reason) = outcome {
                // Said once for all that follow each other.
                if segmentSize.flatMap({ segment.start(size: $0) }) != lost {
                    log.write("error: segment \(segment) is missing here, and upstream: \(reason); going on behind it")
                }
                lost = max(lost, end)
                status.enter(.retrying, "segment \(segment) is missing here, and upstream; looking for the next one")
                if let delay = retry.delaySeconds(after: outcome, jitter: 0) { wait(delay) }
                continue
            }
            if isAbandoned, !interruption.isRaised { return end(outcome) }
            let jitter = Double.random(in: 0...1)
            guard options.loops || outcome == .stopped, let delay = retry.delaySeconds(after: outcome, jitter: jitter)
            else { return end(outcome) }
            let reason = outcome.reason ?? "the connection ended"
            log.writeOnce("\(reason); trying again")
            switch outcome {
            case .gap: status.enter(.gap, reason)
            case .diverged: status.enter(.diverged, reason)
            case .diskFull: status.enter(.diskFull, reason)
            default: status.enter(.retrying, reason)
            }
            wait(delay)
        }
    }

    private func attempt() -> ReplicationOutcome {
        do {
            guard FileTree.isDirectory(options.directory) else {
                return .storage("\(options.directory) is not a directory, or not mounted")
            }
            try setAsideDoubtful()
            let facts = try ArchiveFacts.read(options.directory)
            for problem in facts.problems { log.writeOnce("error: \(problem)") }
            if let mismatch = facts.mismatch(with: options) { return .permanent(mismatch) }
            let segmentSize = options.segmentSize ?? facts.segmentSize
            self.segmentSize = segmentSize
            let tail = try segmentSize.flatMap { size in
                try ArchiveTail.find(
                    directory: options.directory,
                    segmentSize: size,
                    systemIdentifier: options.systemIdentifier ?? facts.systemIdentifier,
                    syncs: options.syncs
                )
            }
            if let tail {
                describe(tail)
            } else if let mark = options.beginsOnlyWith, !FileTree.exists(mark) {
                return .storage(
                    "\(options.directory) holds no WAL, though this archive was begun before: it is not mounted, or "
                        + "its files were removed; nothing is received until they are back"
                )
            }
            var known = options
            known.systemIdentifier = options.systemIdentifier ?? facts.systemIdentifier
            let link = try ReplicationLink(
                target,
                applicationName: options.applicationName,
                wake: interruption.descriptor
            )
            let session = try ReceiverSession(
                options: known,
                link: link,
                tail: tail,
                lost: lost,
                segmentSize: segmentSize,
                histories: facts.histories,
                interruption: interruption,
                status: status,
                log: log,
                compressor: { [unowned self] size in try compressor(for: size) }
            )
            defer {
                if session.madeProgress { retry.reset() }
                doubtful = session.doubtful
                isAbandoned = session.isAbandoned
            }
            return session.run()
        } catch let error as LinkError {
            return outcome(of: error)
        } catch let error as SystemError where error.isFull {
            return .diskFull("\(error)")
        } catch {
            return .storage("\(error)")
        }
    }

    /// One for all connections.
    private func compressor(for segmentSize: SegmentSize) throws -> SegmentCompressor? {
        guard let codec = options.compression, compressor == nil else { return compressor }
        let options = options
        let new = try SegmentCompressor(WALDirectory(options.directory, segmentSize: segmentSize), codec) { text in
            try? ReceiverLog(path: options.logFile, messages: options.messages).write(text)
        }
        compressor = new
        try new.addLeftovers()
        return new
    }

    /// Its page cache would pass every check, and a second sync would prove nothing.
    private func setAsideDoubtful() throws(SystemError) {
        guard let segment = doubtful else { return }
        do throws(SystemError) {
            log.write("the partial segment is kept as \(try segment.setAside(in: options.directory))")
        } catch {
            guard error.isNotFound else { throw error }
        }
        doubtful = nil
    }

    private func outcome(of error: LinkError) -> ReplicationOutcome {
        switch error.kind {
        case .cancelled: interruption.isRaised ? .stopped : .lost(error.description)
        case .authentication: .authentication(error.description)
        case .invalidConnectionString: .permanent(error.description)
        default: .lost(error.description)
        }
    }

    private func describe(_ tail: ArchiveTail) {
        for path in tail.setAside {
            log.write("error: the end of the archive could not be synced; it is kept as \(path) and received anew")
        }
        for name in tail.torn {
            log.write(
                "error: segment \(name) was never written to its end: it is partial again, and received from there"
            )
        }
        if let fault = tail.fault {
            log.writeOnce("the end of the archive is not whole: \(fault); going on from \(tail.resume)")
        }
        status.status.timeline = tail.timeline
        status.status.received = tail.resume
        status.status.durable = tail.isKnown ? tail.recordEnd : .invalid
    }

    private func wait(_ seconds: Double) {
        let deadline = Deadline(seconds: seconds)
        while !interruption.isRaised, !deadline.hasPassed {
            status.refresh()
            let milliseconds = min(deadline.millisecondsLeft, 1000)
            _ = try? Poll.wait(for: interruption.descriptor, timeoutMilliseconds: milliseconds)
        }
    }

    /// What a user can do about an end that was not asked for.
    private static func hint(_ outcome: ReplicationOutcome) -> String? {
        switch outcome {
        case .stopped: nil
        case .lost, .serverShutDown: "without --no-loop it is tried again; check the connection and the slot's name"
        case .slotInUse: "end the other receiver, or use a slot of its own for each"
        case .authentication: "check the role, its password, and the replication lines of the upstream's pg_hba.conf"
        case .holeLost: nil
        case .gap: "WAL is lost between here and there: begin anew, with a new container or a new base backup"
        case .diverged: "nothing here was changed: see which of the two histories is the right one"
        case .damaged: "what came was damaged on its way, or upstream's WAL is: check it there with pg_waldump"
        case .diskFull: "make room"
        case .storage: "check the disk and the rights of the directory"
        case .permanent: "correct what it names, then start again"
        }
    }

    private func end(_ outcome: ReplicationOutcome) -> Int32 {
        compressor?.close(within: interruption.isRaised ? 2 : nil)
        if let reason = outcome.reason { log.write("error: \(reason)") }
        if let hint = Self.hint(outcome) { log.write("hint: \(hint)") }
        log.detail("stopped at \(status.status.received), durable up to \(status.status.durable)")
        status.enter(.stopped, outcome.reason)
        switch outcome {
        case .stopped: return 0
        case .authentication: return ErrorCode.authentication.rawValue
        case .permanent, .gap, .holeLost, .diverged: return ErrorCode.refused.rawValue
        case .lost, .serverShutDown, .slotInUse: return ErrorCode.upstreamUnreachable.rawValue
        case .damaged: return ErrorCode.verificationFailed.rawValue
        case .storage, .diskFull: return ErrorCode.failed.rawValue
        }
    }
}
