internal import Glibc
internal import Platform

/// Starts and finds servers of this machine.
///
/// The postmaster is run directly, not through pg_ctl.
package enum PostgresServer {
    /// Starts a server in a session of its own and returns as soon as it runs; see `waitUntilReady`.
    ///
    /// What an earlier server left behind is cleared first (see `clearRemains`).
    /// - Throws: `local`, also when a server already runs there.
    package static func start(_ launch: ServerLaunch) throws(LinkError) -> RunningServer {
        if let objection = SocketDirectory.objection(to: launch.socketDirectory, port: launch.port) {
            throw LinkError(.local, objection, hint: "use another directory")
        }
        try clearRemains(
            dataDirectory: launch.dataDirectory,
            socketDirectory: launch.socketDirectory,
            port: launch.port
        )
        LogRotation.rotate(launch.logFile)
        let log = StartLog(launch)
        let request = SpawnRequest(
            executable: launch.installation.tool("postgres"),
            arguments: launch.arguments,
            environment: launch.environment,
            workingDirectory: launch.dataDirectory,
            standardOutput: .file(launch.logFile),
            standardError: .file(launch.logFile),
            newSession: true,
            user: launch.user,
            parentDeathSignal: launch.endsWithParent ? SIGQUIT : nil,
            umask: 0o077
        )
        do throws(SystemError) {
            let process = try ProcessSpawn.spawn(request)
            SpawnedChildren.add(process)
            guard let identity = process.identity else {
                throw SystemError(call: "watch the process of", errno: ESRCH, path: request.executable)
            }
            return RunningServer(identity: identity, process: process, launch: launch, log: log)
        } catch {
            throw LinkError(.local, "the server does not start: \(error)")
        }
    }

    /// The server which runs in a data directory; nil when none does.
    ///
    /// It is believed only when the process that `postmaster.pid` names lives, is a PostgreSQL, and works in that
    /// directory: numbers are used again, and a zombie is dead although signals reach it.
    package static func find(dataDirectory: String) -> RunningServer? {
        SpawnedChildren.reap()
        guard let file = PostmasterFile.read(dataDirectory: dataDirectory),
            case .server(let identity) = DataDirectoryProcesses.relation(of: file.pid, to: dataDirectory)
        else { return nil }
        return RunningServer(identity: identity, dataDirectory: dataDirectory, file: file)
    }
}
