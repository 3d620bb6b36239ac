import ArchiveModel
import Platform
import PostgresLink
import WALFormat

/// Watches a server recover to its target, checks where it stopped, and makes it a primary.
///
/// It runs as a hot standby whose fetch withholds everything beyond the target, so it stops there by itself.
struct TargetRecovery {
    /// Which server, as users know it: "clone 'look'".
    let title: String
    let server: RunningServer
    let redo: LSN
    let wal: RecoveryWAL
    /// Its pg_wal.
    let writeAheadLog: String
    let logDirectory: String
    /// How its user reads the whole log.
    let logHint: String
    let connect: () throws -> SQLConnection
    let segmentSize: SegmentSize
    let progress: Progress
    let interruption: Interruption?
    /// What is done as soon as it takes writes.
    var promoted: ((SQLConnection) throws -> Void)?

    private var stop: LSN { wal.stop }
    private var total: UInt64 { stop.bytes(since: redo) }

    /// Recovers, checks, promotes, and checks again.
    ///
    /// - Returns: the timeline that the server is on after its promotion.
    func run() throws -> TimelineID {
        try reachCheckedTarget()?.close()
        return try promote()
    }

    /// Recovers and checks; the server stays a hot standby at its target where that can be read.
    ///
    /// - Returns: its own timeline where it had to be promoted, else nil.
    func hold() throws -> TimelineID? {
        guard let connection = try reachCheckedTarget() else { return try promote() }
        defer { connection.close() }
        // What a transaction has locked that has not ended at the target stays locked, and no reader gets by. In a hot
        // standby nobody else can lock like that.
        let locks = try connection.query(
            """
            SELECT FROM pg_lock_status() WHERE granted AND mode = 'AccessExclusiveLock' LIMIT 1
            """
        )
        return locks.isEmpty ? nil : try promote()
    }

    /// Waits until the target is reached, and not passed.
    ///
    /// - Returns: a connection, or nil where it can take none as a hot standby.
    private func reachCheckedTarget() throws -> SQLConnection? {
        guard let connection = try wal.prepared(from: redo, in: writeAheadLog, reachTarget) else { return nil }
        let replayed = try replayed(connection).position
        guard replayed == stop else {
            connection.close()
            throw ArchiveError(
                .verificationFailed,
                "\(title) stopped at \(replayed) instead of \(stop)",
                hint: "do not use it; delete it and report this"
            )
        }
        return connection
    }

    private func promote() throws -> TimelineID {
        try FaultPoint.pass("clone.beforePromote")
        try server.promote()
        try waitForPromotion()
        try FaultPoint.pass("clone.beforeCheck")
        return try checkSwitchPoint()
    }

    /// Waits until all WAL up to the target is replayed.
    ///
    /// - Returns: a connection, or nil when the server is at its target and still cannot take one: with more than 64
    ///   open subtransactions in a transaction at the checkpoint, a hot standby waits for WAL that will not come.
    private func reachTarget() throws -> SQLConnection? {
        var connection: SQLConnection?
        var pauseMilliseconds: Int32 = 2
        var endSeenAt: Double?
        var titleReadAt = SystemClock.monotonicSeconds()
        while true {
            try interruption?.check()
            try requireAlive()
            if connection == nil { connection = try connectWhereAccepted() }
            if let open = connection {
                let (position, time) = try positionWhileAlive(open)
                report(position, time)
                if position >= stop { return open }
                // Long replays are asked less often; the last stretch every few milliseconds.
                pauseMilliseconds = stop.bytes(since: position) > 64 << 20 ? 50 : 2
            } else if FileTree.exists(wal.endFile) {
                let now = SystemClock.monotonicSeconds()
                if now - (endSeenAt ?? now) > 0.3 { return nil }
                endSeenAt = endSeenAt ?? now
            } else if SystemClock.monotonicSeconds() - titleReadAt > 0.1 {
                reportFromProcessTitle()
                titleReadAt = SystemClock.monotonicSeconds()
            }
            try server.pause(
                milliseconds: connection == nil ? 2 : pauseMilliseconds,
                interrupt: interruption?.descriptor
            )
        }
    }

    private func requireAlive() throws {
        guard !server.isAlive else { return }
        throw ArchiveError(
            .failed,
            "\(title) ended while it recovered"
                + (server.exitStatus.map { " (\($0))" } ?? ""),
            hint: logHint,
            details: LogTail.reasons(directory: logDirectory)
        )
    }

    private func positionWhileAlive(_ connection: SQLConnection) throws -> (position: LSN, time: PostgresTime?) {
        do {
            return try replayed(connection)
        } catch {
            // A server that ends closes its connections first; why it does is the better answer.
            let deadline = Deadline(seconds: 10)
            while server.isAlive, !deadline.hasPassed { try server.pause(milliseconds: 5) }
            try requireAlive()
            throw error
        }
    }

    private func connectWhereAccepted() throws -> SQLConnection? {
        guard server.acceptsConnections else { return nil }
        do {
            return try connect()
        } catch let error as LinkError {
            // It may only not be there yet, but for what is missing on this host.
            guard error.kind != .local else { throw error }
            return nil
        }
    }

    /// How far it has replayed, and the time of the last commit or abort in that.
    private func replayed(_ connection: SQLConnection) throws -> (position: LSN, time: PostgresTime?) {
        let row = try connection.query(
            "SELECT pg_last_wal_replay_lsn(), (extract(epoch FROM pg_last_xact_replay_timestamp()) * 1000000)::int8"
        ).first
        let time = (row?.last ?? nil).flatMap { Int64($0) }.map { PostgresTime(unixMicroseconds: $0) }
        return ((row?.first ?? nil).flatMap { LSN($0) } ?? .invalid, time)
    }

    private func report(_ position: LSN, _ time: PostgresTime? = nil) {
        progress.report(.replayed(bytes: min(position.bytes(since: redo), total), total: total, to: time))
    }

    /// Before it is consistent a server answers nobody; its startup process shows the segment in its title.
    private func reportFromProcessTitle() {
        guard let segment = server.segmentBeingRecovered(), let start = segment.start(size: segmentSize) else { return }
        report(start)
    }

    private func waitForPromotion() throws {
        let begin = SystemClock.monotonicSeconds()
        let deadline = begin + 120
        var connection: SQLConnection?
        defer { connection?.close() }
        while SystemClock.monotonicSeconds() < deadline {
            try requireAlive()
            if connection == nil { connection = try connectWhereAccepted() }
            if let open = connection,
                let row = try? open.query("SELECT pg_is_in_recovery()").first, row.first == "f"
            {
                try promoted?(open)
                return
            }
            // It is short, and half of one need not be finished by the next start: only a long one is interrupted.
            let isLong = SystemClock.monotonicSeconds() - begin > 5
            if isLong { try interruption?.check() }
            try server.pause(milliseconds: 3, interrupt: isLong ? interruption?.descriptor : nil)
        }
        throw ArchiveError(
            .failed,
            "\(title) reached its target and was not promoted within two minutes",
            hint: logHint,
            details: LogTail.reasons(directory: logDirectory)
        )
    }

    /// The promoted server's history file must name exactly the planned position.
    func checkSwitchPoint() throws -> TimelineID {
        let names = try FileTree.list(writeAheadLog).compactMap { name -> TimelineID? in
            guard case .history(let timeline)? = ArchiveFileName(name) else { return nil }
            return timeline
        }
        guard let newest = names.max() else {
            throw ArchiveError(
                .verificationFailed,
                "\(title) was promoted and left no history file",
                hint: "do not use it; delete it and report this"
            )
        }
        let text = try FileTree.readText("\(writeAheadLog)/\(newest.historyFileName)")
        let history = try TimelineHistory(timeline: newest, text: text)
        guard let fork = history.ancestors.last?.end, fork == stop else {
            throw ArchiveError(
                .verificationFailed,
                "\(title) forked at \(history.ancestors.last?.end.description ?? "an unknown position") "
                    + "instead of \(stop)",
                hint: "do not use it; delete it and report this"
            )
        }
        return newest
    }
}
