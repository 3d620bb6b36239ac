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
    func stop(mode: String?) throws
    /// Whether it does its work yet.
    func isReady() -> Bool
    /// Called every two seconds; a text means that it must be restarted, and why.
    func reasonToRestart() -> String?
}

/// The receiver: this program, in a process of its own, which outlives its supervisor.
struct ReceiverPart: SupervisedPart {
    let container: Container
    var part: Part { .walArchive }

    func find() -> ProcessIdentity? {
        guard let holder = (try? HeldLock.isHeld(container.paths.receiverLock)) ?? nil,
            holder.text == Receiver.lockDescription
        else { return nil }
        return ProcessIdentity.of(holder.pid)
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
        guard let identity = ProcessIdentity.of(process.pid) else {
            throw ArchiveError(.failed, "the receiver ended at once", hint: "see \(container.paths.receiverLog)")
        }
        return identity
    }

    func stop(mode: String?) throws {
        guard let process = find() else { return }
        _ = try process.signal(mode == "immediate" ? SIGKILL : SIGTERM)
        if !process.waitForExit(timeoutSeconds: 30) {
            _ = try process.signal(SIGKILL)
            _ = process.waitForExit(timeoutSeconds: 10)
        }
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

    func stop(mode: String?) throws {
        guard let server = PostgresServer.find(dataDirectory: tree.data) else { return }
        let mode = try ServerStop.mode(mode ?? "fast")
        try server.stop(mode, timeoutSeconds: mode == .smart ? 3600 : 120)
    }

    func isReady() -> Bool {
        PostgresServer.find(dataDirectory: tree.data)?.acceptsConnections ?? false
    }

    /// Replay pauses when upstream's settings rose above the standby's: it must start again with the new ones.
    func reasonToRestart() -> String? {
        guard let control = try? ControlFileReader.read(tree),
            let running = try? runningParameters()
        else { return nil }
        let needed = HotStandbyParameters(control)
        guard running.raised(to: needed) != running else { return nil }
        return "upstream's settings rose: \(needed.settings.map { "\($0.name)=\($0.value)" }.joined(separator: " "))"
    }

    /// What the server was started with, from the command line that PostgreSQL keeps in postmaster.opts.
    private func runningParameters() throws -> HotStandbyParameters {
        let options = try FileTree.readText("\(tree.data)/postmaster.opts")
        func value(_ name: String) -> Int32 {
            guard let range = options.range(of: "\(name)=") else { return 0 }
            return Int32(options[range.upperBound...].prefix { $0.isNumber }) ?? 0
        }
        return HotStandbyParameters(
            maxConnections: value("max_connections"),
            maxWorkerProcesses: value("max_worker_processes"),
            maxWALSenders: value("max_wal_senders"),
            maxPreparedTransactions: value("max_prepared_transactions"),
            maxLocksPerTransaction: value("max_locks_per_transaction")
        )
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
