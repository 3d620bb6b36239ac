internal import Glibc
package import Platform

/// A server of this machine, started by us or found; its process may have ended meanwhile.
package final class RunningServer: Sendable {
    /// From the mildest to the sharpest.
    package enum StopMode: Sendable, Hashable, Comparable {
        /// Waits for the clients to leave.
        case smart
        /// Sends the clients away, writes a shutdown checkpoint (or, in recovery, a restartpoint).
        case fast
        /// Stops at once; recovery follows at the next start.
        case immediate

        /// PostgreSQL's documentation, "Shutting Down the Server": one that is stopping can be sent a sharper one.
        package var signal: Int32 {
            switch self {
            case .smart: SIGTERM
            case .fast: SIGINT
            case .immediate: SIGQUIT
            }
        }
    }

    package let identity: ProcessIdentity
    package let dataDirectory: String
    /// Nil when a server was found before it had written them.
    package let socketDirectory: String?
    package let port: Int?
    let role: String
    let database: String
    /// Only when it is our child.
    private let process: SpawnedProcess?
    let log: StartLog?

    init(identity: ProcessIdentity, process: SpawnedProcess, launch: ServerLaunch, log: StartLog) {
        self.identity = identity
        self.process = process
        self.log = log
        dataDirectory = launch.dataDirectory
        socketDirectory = launch.socketDirectory
        port = launch.port
        role = launch.role
        database = launch.database
    }

    init(identity: ProcessIdentity, dataDirectory: String, file: PostmasterFile) {
        self.identity = identity
        self.dataDirectory = dataDirectory
        process = nil
        log = nil
        socketDirectory = file.socketDirectory
        port = file.port
        role = "postgres"
        database = "postgres"
    }

    package var pid: Int32 { identity.pid }

    /// False also for a zombie; reaps it when it is our child.
    package var isAlive: Bool { process?.poll() == nil && identity.isAlive }

    /// How it ended; nil while it runs, or when it was not our child.
    package var exitStatus: ProcessStatus? { process?.poll() }

    /// What it says about itself; nil when it is gone or has not said it yet.
    package var status: PostmasterFile.Status? {
        guard let file = PostmasterFile.read(dataDirectory: dataDirectory), file.pid == pid else { return nil }
        return file.status
    }

    /// Readable once it has ended, for `poll`; nil when it has.
    package func handle() -> Descriptor? { identity.handle() }

    /// Waits for its end; whether it ended in time.
    package func waitForExit(timeoutSeconds: Double?) -> Bool {
        let ended = identity.waitForExit(timeoutSeconds: timeoutSeconds)
        // Otherwise it would stay a zombie for as long as we live.
        if ended { _ = process?.wait(timeoutSeconds: 1) }
        return ended
    }

    /// How to connect to it, over its socket; nil while it has not said where that is.
    package func connection(role: String, database: String) throws(LinkError) -> ConnectionString? {
        guard let socketDirectory, let port else { return nil }
        return try ConnectionString("").merging([
            "host": socketDirectory, "port": String(port), "user": role, "dbname": database,
        ])
    }

    /// Asks it to stop and waits.
    /// - Throws: `timedOut` when it still runs after `timeoutSeconds`; it goes on stopping.
    package func stop(_ mode: StopMode = .fast, timeoutSeconds: Double? = 60) throws(LinkError) {
        try beginStop(mode)
        guard waitForExit(timeoutSeconds: timeoutSeconds) else {
            throw LinkError(.timedOut, "the server (process \(pid)) still runs")
        }
    }

    /// Asks it to stop; returns at once.
    package func beginStop(_ mode: StopMode) throws(LinkError) { try signal(mode.signal) }

    /// Makes it read its configuration files again.
    package func reload() throws(LinkError) { try signal(SIGHUP) }

    /// Asks a standby to become a primary; returns at once.
    package func promote() throws(LinkError) {
        let path = FilePath.join(dataDirectory, "promote")
        do throws(SystemError) {
            let file = try Descriptor.open(path, O_WRONLY | O_CREAT)
            // The server, perhaps another user's, has to remove it: the directory's rights decide that.
            try file.close()
        } catch {
            throw LinkError(.local, "the server cannot be promoted: \(error)")
        }
        try signal(SIGUSR1)
    }

    func signal(_ signal: Int32) throws(LinkError) {
        do throws(SystemError) {
            guard try identity.signal(signal) else { return }
        } catch {
            throw LinkError(.local, "\(error)", hint: "only its owner and root can do that")
        }
    }
}
