internal import WALFormat

// Inside COPY BOTH: data, keepalives, and when to reply.
extension ReplicationMachine {
    mutating func streamStarted(at now: Moment) -> [ReplicationAction] {
        guard let stream else { return finish(.lost("the upstream streams what was not asked")) }
        state = .streaming
        lastHeartbeat = now.seconds
        answeredClock = nil
        isHeartbeatAwaited = settings.heartbeatIntervalSeconds > 0
        let actions = [.note(.streaming(stream)), reply(at: now, requested: isHeartbeatAwaited)]
        // Here already: nothing more need come.
        if let end = settings.endPosition, durable ?? .invalid > end { return actions + stop(at: now) }
        return actions
    }

    mutating func received(_ message: ReplicationMessage, at now: Moment) -> [ReplicationAction] {
        guard state == .streaming else { return finish(.lost("the upstream sent data outside of a stream")) }
        heard(at: now)
        switch message {
        case .data(let start, let payloadBytes, let serverEnd, _):
            guard start == expected else {
                return finish(.lost("the upstream sent WAL from \(start), expected \(expected)"))
            }
            expected = start.advanced(by: UInt64(payloadBytes))
            self.serverEnd = max(self.serverEnd, serverEnd, expected)
            return [.store]
        case .keepalive(let serverEnd, let clock, let replyRequested):
            // It says how far this connection was served, not where the server's WAL ends.
            self.serverEnd = max(self.serverEnd, serverEnd, expected)
            guard replyRequested else {
                if isHeartbeatAwaited { heartbeatAnswered(clock, at: now) }
                return []
            }
            // A server that shuts down waits until all it sent is durable here: never let it wait for a timer.
            var actions = [reply(at: now)]
            if unsyncedSince != nil {
                serverWaitsForSync = true
                actions.append(.sync)
            }
            return actions
        }
    }

    /// A walsender sleeps only after a look at the server's WAL, and what it found came before the answer to what it
    /// was asked later: so up to the clock of an answer nothing was committed beyond what is known at the next one.
    private mutating func heartbeatAnswered(_ clock: PostgresTime, at now: Moment) {
        isHeartbeatAwaited = false
        lastHeartbeat = now.seconds
        // A standby's clock says nothing of its upstream, nor does a timeline that the server has left.
        if let answeredClock, !isStandby, stream?.timeline == identity?.timeline {
            heartbeat = Heartbeat(clock: answeredClock, end: serverEnd)
        }
        answeredClock = clock
    }

    mutating func stored(written: LSN, recordEnd: LSN, at now: Moment) -> [ReplicationAction] {
        guard state == .streaming else { return [] }
        self.written = max(self.written, written)
        self.recordEnd = max(self.recordEnd, recordEnd)
        guard self.recordEnd > (durable ?? .invalid) else { return [] }
        if unsyncedSince == nil { unsyncedSince = now.seconds }
        if let end = settings.endPosition, self.recordEnd > end, !isStopping { return stop(at: now) }
        return settings.isSynchronous || serverWaitsForSync ? [.sync] : []
    }

    mutating func becameDurable(_ position: LSN, at now: Moment) -> [ReplicationAction] {
        guard stream != nil else { return [] }
        let advanced = position > (durable ?? .invalid)
        durable = max(durable ?? .invalid, position)
        if recordEnd <= position {
            unsyncedSince = nil
            serverWaitsForSync = false
        } else if advanced, unsyncedSince != nil {
            unsyncedSince = now.seconds
        }
        guard state == .streaming else { return [] }
        if isStopping, position >= stopTarget {
            state = .finished
            return [reply(at: now), .endCopy, .finish(.stopped)]
        }
        return advanced ? [reply(at: now)] : []
    }

    mutating func stop(at now: Moment) -> [ReplicationAction] {
        guard state == .streaming else { return finish(.stopped) }
        isStopping = true
        stopTarget = recordEnd
        if unsyncedSince != nil { return [.sync] }
        state = .finished
        return [reply(at: now), .endCopy, .finish(.stopped)]
    }

    mutating func pause(_ paused: Bool, at now: Moment) -> [ReplicationAction] {
        isPaused = paused
        lastHeard = now.seconds
        hasPinged = false
        return []
    }

    mutating func tick(at now: Moment) -> [ReplicationAction] {
        if lastHeard == 0 { lastHeard = now.seconds }
        let silence = now.seconds - lastHeard
        if !isPaused, !isStopping, silence >= settings.silenceLimitSeconds {
            return finish(.lost("nothing was heard of the upstream for \(Int(silence)) s"))
        }
        guard state == .streaming else { return [] }
        var actions: [ReplicationAction] = []
        if !isPaused, !hasPinged, !isHeartbeatAwaited, silence >= settings.pingAfterSeconds {
            hasPinged = true
            actions.append(reply(at: now, requested: true))
        } else if settings.heartbeatIntervalSeconds > 0,
            now.seconds - lastHeartbeat >= settings.heartbeatIntervalSeconds
        {
            // Asked again only after the answer, so that each answer is known to be of its own time.
            lastHeartbeat = now.seconds
            actions.append(reply(at: now, requested: !isHeartbeatAwaited))
            isHeartbeatAwaited = true
        } else if now.seconds - lastReply >= replyIntervalSeconds {
            actions.append(reply(at: now))
        }
        if let unsyncedSince, now.seconds - unsyncedSince >= settings.syncAfterSeconds {
            self.unsyncedSince = now.seconds
            actions.append(.sync)
        }
        return actions
    }

    /// When the next tick is due, on the monotonic clock; infinity when nothing is waited for.
    package var nextTickSeconds: Double {
        var due = isPaused || isStopping ? .infinity : lastHeard + settings.silenceLimitSeconds
        guard state == .streaming else { return due }
        if !isPaused, !hasPinged, !isHeartbeatAwaited { due = min(due, lastHeard + settings.pingAfterSeconds) }
        if settings.heartbeatIntervalSeconds > 0 { due = min(due, lastHeartbeat + settings.heartbeatIntervalSeconds) }
        due = min(due, lastReply + replyIntervalSeconds)
        if let unsyncedSince { due = min(due, unsyncedSince + settings.syncAfterSeconds) }
        return due
    }

    /// While nothing is read the server's own questions are not heard either, and it leaves who does not answer.
    private var replyIntervalSeconds: Double {
        let wanted = settings.statusIntervalSeconds > 0 ? settings.statusIntervalSeconds : .infinity
        return isPaused ? min(wanted, Self.longestSilenceWhilePaused) : wanted
    }

    private static let longestSilenceWhilePaused = 10.0

    private mutating func reply(at now: Moment, requested: Bool = false) -> ReplicationAction {
        lastReply = now.seconds
        let flushed = settings.reportsFlush ? durable ?? .invalid : .invalid
        return .reply(
            StandbyStatus(
                // Commits may wait for it (remote_write): what only the page cache has is nothing to rely on.
                written: settings.isSynchronous ? flushed : max(written, flushed),
                flushed: flushed,
                clock: now.clock,
                replyRequested: requested
            )
        )
    }
}
