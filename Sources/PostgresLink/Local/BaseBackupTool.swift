internal import Glibc
package import Platform

/// Runs the right major's `pg_basebackup`.
package struct BaseBackupTool: Sendable {
    package enum Checkpoint: String, Sendable {
        case spread
        case fast
    }

    package var installation: PostgresInstallation
    package var upstream: ConnectionString
    /// Where to; it must not exist, or be empty.
    package var directory: String
    package var checkpoint: Checkpoint
    /// From the upstream's directory of a tablespace to ours, both absolute.
    package var tablespaces: [(from: String, to: String)]
    /// Whether the upstream runs an archive_command.
    ///
    /// Without WAL the server ends a backup only when that command has taken the last segments, which with a broken
    /// one is never. So the WAL is fetched then, and thrown away here.
    package var upstreamArchives: Bool
    /// Whether the tool makes each file durable; otherwise the caller does so for the whole filesystem.
    package var syncs: Bool
    /// Whom to run it as, nil to stay who we are.
    package var user: SpawnUser?

    package init(
        installation: PostgresInstallation,
        upstream: ConnectionString,
        directory: String,
        checkpoint: Checkpoint = .spread,
        tablespaces: [(from: String, to: String)] = [],
        upstreamArchives: Bool = false,
        syncs: Bool = true,
        user: SpawnUser? = nil
    ) {
        self.installation = installation
        self.upstream = upstream
        self.directory = directory
        self.checkpoint = checkpoint
        self.tablespaces = tablespaces
        self.upstreamArchives = upstreamArchives
        self.syncs = syncs
        self.user = user
    }

    /// Takes the backup, without any WAL.
    ///
    /// A failed one leaves what it has made: removing it is the caller's.
    ///
    /// - Parameters:
    ///   - interrupt: a descriptor which, once readable, ends it: `cancelled`, with the tool gone.
    ///   - progress: called about once a second.
    /// - Throws: `server` with the tool's own words in `log`, `cancelled`, or `local`.
    package func run(
        interrupt: Int32 = -1,
        progress: (BaseBackupProgress) -> Void = { _ in }
    ) throws(LinkError) {
        guard upstream.value(of: "sslpassword") == nil else {
            throw LinkError(
                .invalidConnectionString,
                "sslpassword cannot be handed to pg_basebackup without showing it to everybody",
                hint: "use a key without a password, readable by its owner only"
            )
        }
        let outcome: (status: ProcessStatus, reader: BaseBackupOutput)
        do throws(SystemError) {
            outcome = try watch(interrupt: interrupt, progress: progress)
        } catch {
            if error.errno == EINTR { throw LinkError(.cancelled, "the base backup was interrupted") }
            throw LinkError(.local, "the base backup cannot be taken: \(error)")
        }
        guard outcome.status.isSuccess else {
            let words = outcome.reader.words
            throw LinkError(.server, "pg_basebackup failed: \(words.last ?? "\(outcome.status)")", log: words)
        }
        if upstreamArchives { try discardWAL() }
    }

    var arguments: [String] {
        var arguments = [
            "--pgdata", directory, "--dbname", upstream.passwordTaken().without.forBaseBackup.text,
            "--format=plain", "--wal-method=\(upstreamArchives ? "fetch" : "none")",
            "--checkpoint=\(checkpoint.rawValue)", "--progress", "--no-password",
        ]
        if !syncs { arguments.append("--no-sync") }
        for tablespace in tablespaces {
            arguments.append("--tablespace-mapping=\(Self.escaped(tablespace.from))=\(Self.escaped(tablespace.to))")
        }
        return arguments
    }

    private var environment: [String: String] {
        var environment = ServerLaunch.standardEnvironment()
        // Seen by its owner and root only, unlike an argument.
        if let password = upstream.passwordTaken().password { environment["PGPASSWORD"] = password }
        return environment
    }

    /// In a mapping `=` parts the two directories.
    private static func escaped(_ path: String) -> String {
        path.split(separator: "=", omittingEmptySubsequences: false).joined(separator: "\\=")
    }

    /// Runs the tool and reads its standard error until it has ended.
    /// - Throws: EINTR when interrupted.
    private func watch(
        interrupt: Int32,
        progress: (BaseBackupProgress) -> Void
    ) throws(SystemError) -> (ProcessStatus, BaseBackupOutput) {
        let pipe = try Descriptor.pipe()
        try pipe.reading.setNonBlocking(true)
        let process = try ProcessSpawn.spawn(
            SpawnRequest(
                executable: installation.tool("pg_basebackup"),
                arguments: arguments,
                environment: environment,
                workingDirectory: "/",
                standardError: .descriptor(pipe.writing.raw),
                newSession: true,
                user: user,
                // This thread stays here until the tool has ended.
                parentDeathSignal: SIGKILL,
                umask: 0o077
            )
        )
        var output = BaseBackupOutput()
        progress(output.progress)
        do throws(SystemError) {
            while true {
                let ready = try Poll.wait([
                    PollItem(process.pidDescriptor), PollItem(pipe.reading.raw), PollItem(interrupt),
                ])
                if !ready[2].isEmpty { throw SystemError(call: "wait for", errno: EINTR, path: "pg_basebackup") }
                let before = output.progress
                try output.take(from: pipe.reading)
                if output.progress != before { progress(output.progress) }
                if !ready[0].isEmpty { return (process.wait(), output) }
            }
        } catch {
            process.signal(SIGKILL)
            _ = process.wait()
            throw error
        }
    }

    private func discardWAL() throws(LinkError) {
        let wal = FilePath.join(directory, "pg_wal")
        do throws(SystemError) {
            for name in try FileTree.list(wal) {
                let path = FilePath.join(wal, name)
                if try FileTree.kind(path) == .regular { try FileTree.removeTree(path) }
            }
        } catch {
            throw LinkError(.local, "the backup's WAL cannot be removed: \(error)")
        }
    }
}

extension ConnectionString {
    /// pg_basebackup asks for a replication connection itself, and takes no `replication` keyword kindly.
    fileprivate var forBaseBackup: ConnectionString { removing("replication") }
}
