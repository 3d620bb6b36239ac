internal import Glibc
internal import Platform

extension PostgresServer {
    /// Makes a data directory fit for a start after its last server died, however that happened.
    ///
    /// Waits until no process of that server is left (children outlive a killed postmaster for a moment, a restore
    /// command perhaps longer); after a while those still there are killed. Then removes `postmaster.pid` and the
    /// socket's lock, which PostgreSQL itself would respect as long as *some* process, be it a zombie, has the number.
    ///
    /// Half of `timeoutSeconds` is given to the processes to end by themselves.
    /// - Throws: `local` when a server runs there, when processes stay, or when it cannot be told.
    package static func clearRemains(
        dataDirectory: String,
        socketDirectory: String? = nil,
        port: Int? = nil,
        timeoutSeconds: Double = 20
    ) throws(LinkError) {
        let file = FilePath.join(dataDirectory, PostmasterFile.name)
        // A postmaster removes its file when its children have ended. Without one, as in a new clone, nothing can be
        // left, and looking through all processes of a busy machine takes longer than starting one.
        if FileTree.exists(file) {
            try awaitQuiet(dataDirectory, timeoutSeconds: timeoutSeconds)
            try removeIfStale(file, dataDirectory: dataDirectory)
        }
        guard let socketDirectory, let port else { return }
        let socket = SocketDirectory.socketPath(socketDirectory, port: port)
        try removeIfStale("\(socket).lock", dataDirectory: nil)
    }

    private static func awaitQuiet(_ dataDirectory: String, timeoutSeconds: Double) throws(LinkError) {
        let deadline = Deadline(seconds: timeoutSeconds)
        let patience = Deadline(seconds: timeoutSeconds / 2)
        let lastPatience = Deadline(seconds: timeoutSeconds * 3 / 4)
        while true {
            if let running = find(dataDirectory: dataDirectory) {
                throw LinkError(.local, "a server already runs there: process \(running.pid)")
            }
            let left = DataDirectoryProcesses.list(dataDirectory: dataDirectory)
            guard let first = left.first else { return }
            if deadline.hasPassed {
                let names = left.map { "\($0.command) \($0.identity.pid)" }.joined(separator: ", ")
                throw LinkError(.local, "processes of an earlier server do not end: \(names)")
            }
            // Their postmaster is dead: nothing is lost that its own death has not lost already. SIGQUIT is the
            // immediate shutdown, should it only have lost its file; one that waits for a command ignores it.
            if patience.hasPassed {
                let signal = lastPatience.hasPassed ? SIGKILL : SIGQUIT
                for process in left where process.isServer { _ = try? process.identity.signal(signal) }
            }
            _ = first.identity.waitForExit(timeoutSeconds: 0.1)
        }
    }

    /// Removes a lock file whose first line names a process that is no server of the directory on its second line.
    private static func removeIfStale(_ path: String, dataDirectory: String?) throws(LinkError) {
        guard let text = try? FileTree.readText(path, limit: 64 << 10) else { return }
        let lines = text.split(separator: "\n", omittingEmptySubsequences: false).map(String.init)
        // Negative in a single-user server's file; there is no process of the lowest number's magnitude.
        let pid = lines.first.flatMap { Int32($0.trimmed) }.flatMap { Int32(exactly: $0.magnitude) } ?? 0
        let owner = dataDirectory ?? (lines.count > 1 ? lines[1] : "")
        switch DataDirectoryProcesses.relation(of: pid, to: owner) {
        case .none: break
        case .server:
            throw LinkError(.local, "a server (process \(pid), in \(owner)) holds \(path)")
        case .unknown:
            throw LinkError(
                .local,
                "cannot tell whether process \(pid), named in \(path), is a server in \(owner)",
                hint: "it belongs to another user; see what it is, and remove the file if it is no PostgreSQL"
            )
        }
        guard unlink(path) != 0, errno != ENOENT else { return }
        throw LinkError(.local, "\(SystemError(call: "remove", errno: errno, path: path))")
    }
}
