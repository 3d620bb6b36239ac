import ArchiveModel
import Foundation
import Platform
import PostgresLink

/// A process that the supervisor keeps running, whether it started it or found it.
protocol SupervisedPart: Sendable {
    var part: Part { get }
    /// The process when it is running, whoever started it.
    func find() -> ProcessIdentity?
    func start() throws -> ProcessIdentity
    /// The signal that asks it to end, after it was asked `waitedSeconds` ago for the first time.
    func signal(to mode: RunningServer.StopMode, waitedSeconds: Double) -> Int32
    /// Whether it does its work yet.
    func isReady() -> Bool
    /// Called every two seconds; a text means that it must be restarted, and why.
    func reasonToRestart() -> String?
}

extension SupervisedPart {
    /// Stops it where no supervisor looks after it.
    ///
    /// - Returns: false when the patience was over first; it goes on stopping.
    @discardableResult
    func stop(_ mode: RunningServer.StopMode, _ patience: Patience = Patience()) throws -> Bool {
        guard let process = find() else { return true }
        var course = StopCourse(mode, now: SystemClock.monotonicSeconds())
        while process.isAlive {
            let now = SystemClock.monotonicSeconds()
            if course.asks(now: now) {
                try process.signal(signal(to: mode, waitedSeconds: course.waitedSeconds(now: now)))
            }
            if patience.isOver { return false }
            guard !course.isOverdue(now: now) else {
                throw ArchiveError(
                    .failed,
                    "\(part.rawValue) does not stop: process \(process.pid) still runs",
                    hint: "try again with -m immediate"
                )
            }
            _ = process.waitForExit(timeoutSeconds: min(1, patience.secondsLeft ?? 1))
        }
        return true
    }
}

/// The receiver: this program, in a process of its own, which outlives its supervisor.
struct ReceiverPart: SupervisedPart {
    let container: Container
    var part: Part { .walArchive }

    func find() -> ProcessIdentity? {
        SpawnedChildren.reap()
        guard let holder = (try? HeldLock.isHeld(container.paths.receiverLock)) ?? nil else { return nil }
        guard holder.pid == 0 else {
            return holder.text == Receiver.lockDescription ? ProcessIdentity.of(holder.pid) : nil
        }
        // On a full disk the lock does not name its holder; the status can still be written.
        let status = try? JSONFile.read(ReceiverStatus.self, from: container.paths.receiverStatus)
        return (status ?? nil).flatMap { ProcessIdentity.of($0.processID) }
    }

    func start() throws -> ProcessIdentity {
        try FileTree.makeDirectory(container.paths.log, mode: 0o700, parents: true)
        let request = SpawnRequest(
            executable: try ThisProgram.path(),
            arguments: ["wal_archive", "receive", "--container", container.paths.root],
            environment: ServerEnvironment.minimal,
            workingDirectory: container.paths.root,
            standardInput: .null,
            standardOutput: .file(container.paths.receiverLog),
            standardError: .file(container.paths.receiverLog),
            newSession: true
        )
        let process = try ProcessSpawn.spawn(request)
        SpawnedChildren.add(process)
        guard let identity = ProcessIdentity.of(process.pid) else {
            throw ArchiveError(.failed, "the receiver ended at once", hint: "see \(container.paths.receiverLog)")
        }
        return identity
    }

    /// Nothing is lost by a kill: what it acknowledged is on disk.
    func signal(to mode: RunningServer.StopMode, waitedSeconds: Double) -> Int32 {
        mode == .immediate || waitedSeconds >= 30 ? SIGKILL : SIGTERM
    }

    func isReady() -> Bool {
        guard let process = find(),
            let status = try? JSONFile.read(ReceiverStatus.self, from: container.paths.receiverStatus)
        else { return false }
        return status.processID == process.pid && status.state != .connecting
    }

    func reasonToRestart() -> String? { nil }
}

/// The standby: a PostgreSQL server that is fed from the WAL archive.
struct StandbyPart: SupervisedPart {
    let container: Container
    private let running = RunningParameters()

    init(container: Container) {
        self.container = container
    }

    var part: Part { .standby }

    private var tree: ServerTree { container.paths.standbyTree }

    func find() -> ProcessIdentity? {
        PostgresServer.find(dataDirectory: tree.data)?.identity
    }

    func start() throws -> ProcessIdentity { try launch().identity }

    func launch() throws -> RunningServer {
        // What the user has edited since the supervisor began.
        let container = (try? Container.open(container.paths.root)) ?? container
        let parameters = HotStandbyParameters(try ControlFileReader.read(tree))
        try StandbyTree.relinkTablespaces(tree)
        let launch = try StandbyConfiguration(container: container, parameters: parameters).prepare()
        return try PostgresServer.start(launch)
    }

    func signal(to mode: RunningServer.StopMode, waitedSeconds: Double) -> Int32 { mode.signal }

    func isReady() -> Bool {
        PostgresServer.find(dataDirectory: tree.data)?.acceptsConnections ?? false
    }

    /// Replay pauses when upstream's settings rose above the standby's: it must start again with the new ones.
    func reasonToRestart() -> String? {
        guard let control = try? ControlFileReader.read(tree), let running = running.read(container) else {
            return nil
        }
        let needed = HotStandbyParameters(control)
        guard running.raised(to: needed) != running else { return nil }
        return "upstream's settings rose: \(needed.settings.map { "\($0.name)=\($0.value)" }.joined(separator: " "))"
    }
}

/// The environment of the processes that live on: nothing of the caller's shell.
enum ServerEnvironment {
    static var minimal: [String: String] {
        let own = ProcessInfo.processInfo.environment
        var environment = ["PATH": own["PATH"] ?? "/usr/bin:/bin", "LC_ALL": "C"]
        for name in ["TZ", "HOME", "PGARCHIVE_HOME", "PGARCHIVE_WAL", "PGARCHIVE_FAULT", "PGPASSFILE"]
            + [15, 16, 17, 18].map({ "PGARCHIVE_POSTGRES_\($0)" })
        {
            environment[name] = own[name]
        }
        return environment
    }
}
