package import ArchiveModel
import Platform
import PostgresLink
import WALFormat
import WALStore

/// What a container is doing, gathered in a few milliseconds from files, locks and the standby; upstream is not asked.
package struct StatusReport: Codable, Sendable {
    package struct PartReport: Codable, Sendable {
        package var name: String
        package var isRunning: Bool
        /// One word, such as `streaming`, `replaying` or `stopped`.
        package var state: String
        /// Why it stands still or is not running; nil while all is well.
        package var reason: String?
        package var processID: Int32?
    }

    package var container: String
    package var root: String
    package var parts: [PartReport]
    package var waterline: Waterline
    package var snapshots: Int
    /// Without the looks.
    package var clones: Int
    package var clonesRunning: Int
    /// Throwaway servers behind `psql` and `dump`, which are there for a while.
    package var looks: Int = 0
    /// The line for the upstream's postgresql.conf, where WAL is pushed; nil where it is only received.
    package var archiveCommand: String?
    /// What the last `wal_archive verify` of each kind said.
    package var verified: [LastVerification]

    /// Whether every part runs; what stands still has a reason in its part.
    package var isRunning: Bool { parts.allSatisfy(\.isRunning) }

    package static func gather(_ container: Container) throws -> StatusReport {
        let supervisor = ControlClient(container).supervisor
        let states = try? ControlClient(container).send(ControlRequest(.status), timeoutSeconds: 2)?.parts
        let receiverStatus = try? JSONFile.read(ReceiverStatus.self, from: container.paths.receiverStatus)
        let hold = StandbyHold.read(container)
        let server = PostgresServer.find(dataDirectory: container.paths.standbyTree.data)
        let probe = server == nil ? nil : try? StandbyProbe(container: container)
        let snapshots = try SnapshotCatalog(container).all()
        let clones = try CloneCatalog(container).listed()
        let pushed = container.settings.walIngest.isPushed ? try PushedWAL(container) : nil
        let receiver = receiverPart(
            container,
            status: receiverStatus,
            state: states?.first { $0.part == .walArchive },
            pushed: pushed
        )
        let standby = standbyPart(
            isUp: server != nil,
            processID: server?.pid,
            probe: probe,
            hold: hold,
            state: states?.first { $0.part == .standby }
        )
        return StatusReport(
            container: container.name,
            root: container.paths.root,
            parts: [
                PartReport(
                    name: "supervisor",
                    isRunning: supervisor != nil,
                    state: supervisor == nil ? "stopped" : "running",
                    reason: nil,
                    processID: supervisor?.pid
                ),
                receiver, standby,
            ] + container.settings.walCopies.map { copyPart(container, $0, isSupervised: supervisor != nil) },
            waterline: waterline(
                status: receiver.isRunning ? receiverStatus : nil,
                receiver: receiver,
                standby: standby,
                probe: probe,
                snapshot: snapshots.last,
                pushed: pushed,
                container: container
            ),
            snapshots: snapshots.count,
            clones: clones.count { !$0.isLook },
            clonesRunning: clones.count { !$0.isLook && CloneServer(container, $0).isRunning },
            looks: clones.count(where: \.isLook),
            archiveCommand: try PushedWAL.archiveCommand(container),
            verified: LastVerification.read(container)
        )
    }

    private static func receiverPart(
        _ container: Container,
        status: ReceiverStatus?,
        state: ControlReply.PartState?,
        pushed: PushedWAL?
    ) -> PartReport {
        let holder = (try? HeldLock.isHeld(container.paths.receiverLock)) ?? nil
        guard let holder else {
            if let pushed, !container.settings.walIngest.streams {
                // There is no process that could be down: each push tells the upstream how it ended.
                return PartReport(
                    name: Part.walArchive.rawValue,
                    isRunning: true,
                    state: "pushed",
                    reason: pushed.alarm
                )
            }
            return PartReport(
                name: Part.walArchive.rawValue,
                isRunning: false,
                state: state?.phase.rawValue ?? "stopped",
                // What it said itself when it ended tells more than that it ended.
                reason: status?.reason ?? state?.reason
            )
        }
        let now = PostgresTime(unixMicroseconds: SystemClock.now())
        let standing = ReceiverStatus.standing(status, holder: holder.pid, now: now)
        return PartReport(
            name: Part.walArchive.rawValue,
            isRunning: standing.isAlive,
            state: standing.word,
            reason: standing.reason ?? pushed?.alarm,
            processID: holder.pid
        )
    }

    private static func copyPart(_ container: Container, _ copy: WALCopy, isSupervised: Bool) -> PartReport {
        let status = (try? JSONFile.read(CopyStatus.self, from: container.paths.copyStatus(copy.name))) ?? nil
        let waiting = status.map { $0.waiting > 0 ? ", \($0.waiting) waiting" : "" } ?? ""
        guard isSupervised, let status else {
            return PartReport(
                name: "copy \(copy.name)",
                isRunning: false,
                state: "stopped",
                reason: isSupervised ? "it has not begun yet" : "the supervisor is not running"
            )
        }
        let tries = status.failures > 1 ? " (\(status.failures) times)" : ""
        return PartReport(
            name: "copy \(copy.name)",
            isRunning: status.state != .failing,
            state: status.state.rawValue + waiting,
            reason: status.reason.map { "\(status.file ?? ""): \($0)\(tries)" }
        )
    }

    private static func standbyPart(
        isUp: Bool,
        processID: Int32?,
        probe: StandbyProbe?,
        hold: StandbyHold?,
        state: ControlReply.PartState?
    ) -> PartReport {
        guard isUp else {
            return PartReport(
                name: Part.standby.rawValue,
                isRunning: false,
                state: state?.phase.rawValue ?? "stopped",
                reason: state?.reason
            )
        }
        let held = hold != nil
        let words = held ? "held" : probe.map { $0.isPaused ? "paused" : "replaying" } ?? "starting"
        let reason =
            hold?.text ?? (probe?.isPaused == true ? "upstream's settings rose; it is about to be restarted" : nil)
        return PartReport(
            name: Part.standby.rawValue,
            isRunning: true,
            state: words,
            reason: reason,
            processID: processID
        )
    }

    private static func waterline(
        status: ReceiverStatus?,
        receiver: PartReport,
        standby: PartReport,
        probe: StandbyProbe?,
        snapshot: SnapshotRecord?,
        pushed: PushedWAL?,
        container: Container
    ) -> Waterline {
        let last = status ?? ((try? JSONFile.read(ReceiverStatus.self, from: container.paths.receiverStatus)) ?? nil)
        let arrival = Arrival(
            last,
            pushed,
            isReceived: container.settings.walIngest.streams || receiver.processID != nil
        )
        let silent =
            status == nil && receiver.processID == nil
            ? "the receiver is not running; this is what it heard last" : receiver.reason
        return Waterline(
            upstream: .init(
                name: "upstream",
                position: arrival.upstream,
                timeline: arrival.timeline,
                time: arrival.heartbeat,
                reason: arrival.isReceived ? silent : "not heard: its archive_command brings the WAL"
            ),
            received: .init(name: "received", position: arrival.received, timeline: arrival.timeline),
            durable: .init(name: "durable", position: arrival.durable, timeline: arrival.timeline),
            indexed: IndexStatus.station(container, durable: arrival.durable),
            replayed: .init(
                name: "replayed",
                position: probe?.replayed,
                timeline: probe?.control.minRecoveryPointTimeline,
                time: probe?.lastTransactionTime,
                reason: standby.isRunning ? standby.reason : "the standby is not running"
            ),
            snapshot: .init(
                name: "snapshot",
                position: snapshot?.replayed,
                timeline: snapshot?.timeline,
                time: snapshot?.lastTransactionTime,
                reason: snapshot == nil ? "no snapshot has been taken yet" : nil
            )
        )
    }
}

/// How far WAL has come in, by what the receiver says and by what was pushed.
private struct Arrival {
    var isReceived: Bool
    var upstream: LSN?
    var received: LSN?
    var durable: LSN?
    var timeline: TimelineID?
    var heartbeat: PostgresTime?

    /// - Parameter isReceived: whether what the receiver said last is of now.
    init(_ status: ReceiverStatus?, _ pushed: PushedWAL?, isReceived: Bool) {
        self.isReceived = isReceived
        let valid = { (position: LSN?) -> LSN? in position.flatMap { $0.isValid ? $0 : nil } }
        if isReceived {
            upstream = valid(status?.upstreamEnd)
            received = valid(status?.received)
            durable = valid(status?.durable)
            timeline = status?.timeline
            heartbeat = status?.heartbeatClock
        }
        // A segment may be brought before the receiver has read to its end.
        guard let end = pushed?.end, let newest = pushed?.timeline, newest >= timeline ?? newest else { return }
        timeline = newest
        received = max(received ?? end, end)
        durable = max(durable ?? end, end)
        upstream = upstream.map { max($0, end) }
    }
}
