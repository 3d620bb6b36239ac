import Foundation

/// A container under test with its upstream, on a filesystem of its own: what most scenarios begin with.
package final class TestArchive: Sendable {
    package struct Options: Sendable {
        package var kind: TestFilesystem.Kind = .plain
        package var upstream = TestPostgres.Options()
        /// Who runs the commands: root as a rule, where tests run as root.
        package var user: TestUser = .caller
        package var name = "main"
        /// The name of PGARCHIVE_HOME on the test's filesystem.
        package var homeName = "home"
        package var megabytes = 3072
        package var pgbenchScale: Int?
        package var initArguments: [String] = []

        package init() {}
        package init(_ kind: TestFilesystem.Kind) { self.kind = kind }
    }

    package let options: Options
    package let directory: TestDirectory
    package let filesystem: TestFilesystem
    package let upstream: TestPostgres
    package let home: String
    /// The container's directory.
    package let path: String
    /// pgarchive with PGARCHIVE set to the container.
    package let pgarchive: PgArchive
    /// The crontab of all its users; there is no other here.
    package let crontab: StandInCrontab

    private init(_ options: Options, directory: TestDirectory, filesystem: TestFilesystem, upstream: TestPostgres)
        throws
    {
        self.options = options
        self.directory = directory
        self.filesystem = filesystem
        self.upstream = upstream
        home = "\(filesystem.path)/\(options.homeName)"
        path = "\(home)/\(options.name)"
        crontab = try StandInCrontab(in: directory)
        pgarchive = PgArchive(home: home, container: path, user: options.user)
            .setting("PATH", "\(crontab.programs):\(TestCommand.path)")
        try FileManager.default.createDirectory(atPath: home, withIntermediateDirectories: true)
        try TestDirectory.giveToOwner(home)
    }

    /// Runs a scenario with an upstream and, unless told otherwise, an initialised container.
    ///
    /// After the body nothing is left: what still runs below the test's directory is ended. Invariants are
    /// checked while the container is there, and only when the body did not throw.
    package static func with(
        _ options: Options,
        initialise: Bool = true,
        _ body: (TestArchive) throws -> Void
    ) throws {
        try options.kind.orSkip()
        try TestDirectory.with { directory in
            defer { endProcesses(in: directory.path) }
            try TestFilesystem.with(options.kind, in: directory, megabytes: options.megabytes) { filesystem in
                try TestPostgres.with(in: directory, options: options.upstream) { upstream in
                    let archive = try TestArchive(
                        options,
                        directory: directory,
                        filesystem: filesystem,
                        upstream: upstream
                    )
                    defer { archive.abandon() }
                    if let scale = options.pgbenchScale { try upstream.pgbenchInitialize(scale: scale) }
                    if initialise { try archive.initialise() }
                    try body(archive)
                }
            }
        }
    }

    package var initArguments: [String] {
        [
            "container", "init", "--container", path, "--upstream", upstream.connection, "--upstream-repl",
            upstream.replicationConnection, "--checkpoint", "fast",
        ]
            + (options.kind == .btrfs
                ? ["--driver", "btrfs"] : options.kind == .xfs ? ["--driver", "reflink"] : ["--driver", "copy"])
            + options.initArguments
    }

    @discardableResult
    package func initialise() throws -> CommandResult {
        let result = try pgarchive.succeed(initArguments, deadline: 180)
        try usePortsOfItsOwn()
        return result
    }

    /// Containers of one home share an allocation of ports; those of tests that run side by side do not.
    package func usePortsOfItsOwn() throws {
        let settings = "\(path)/pgarchive.toml"
        let first = 10_000 + Int.random(in: 0..<1000) * 20
        let lines = try String(contentsOfFile: settings, encoding: .utf8)
            .split(separator: "\n", omittingEmptySubsequences: false)
            .map { $0.hasPrefix("ports = ") ? "ports = \"\(first)-\(first + 19)\"" : String($0) }
        try SpoiltFile.write(lines.joined(separator: "\n"), to: settings)
    }

    package var walArchive: String { "\(path)/wal_archive" }

    /// The names in the WAL archive that hold complete segments, compressed or not.
    package func archivedSegments() -> [String] {
        let names = (try? FileManager.default.contentsOfDirectory(atPath: walArchive)) ?? []
        return Set(names.map { $0.hasSuffix(".zst") ? String($0.dropLast(4)) : $0 }.filter { $0.count == 24 }).sorted()
    }

    /// Completes the upstream's segment and waits until it lies in both archives.
    @discardableResult
    package func switchAndReceive(within seconds: Double = 60) throws -> String {
        let name = try upstream.switchAndArchive()
        try eventually(within: seconds, "\(name) is received") { archivedSegments().contains(name) }
        return name
    }

    /// Everything that was written upstream so far is replayed by the standby.
    package func replayEverything(within seconds: Double = 60) throws {
        let position = try upstream.currentLSN()
        try switchAndReceive(within: seconds)
        try eventually(within: seconds, "the standby replays \(position)", every: 0.05) {
            try standbySQL("select pg_last_wal_replay_lsn() >= '\(position)'") == "t"
        }
    }

    /// A query to the standby over its socket, as the container's owner.
    package func standbySQL(_ text: String) throws -> String {
        let sockets = (try? FileManager.default.contentsOfDirectory(atPath: "\(path)/run")) ?? []
        let ports = sockets.filter { $0.hasPrefix(".s.PGSQL.") && !$0.hasSuffix(".lock") }.compactMap {
            Int($0.dropFirst(9))
        }
        guard let port = ports.first(where: { belongsToStandby($0) }) else { throw TestFailure("no standby socket") }
        return try ServerQuery.run(text, host: "\(path)/run", port: port, bin: upstream.bin)
    }

    private func belongsToStandby(_ port: Int) -> Bool {
        let file = "\(path)/standby/data/postmaster.pid"
        guard let text = try? String(contentsOfFile: file, encoding: .utf8) else { return false }
        let lines = text.split(separator: "\n", omittingEmptySubsequences: false)
        return lines.count > 3 && lines[3] == "\(port)"
    }

    /// Ends what a failed or finished scenario left running, so that its filesystem can be unmounted.
    private func abandon() {
        _ = try? pgarchive.run("container", "stop", deadline: 30)
        Self.endProcesses(in: directory.path, except: upstream)
        for mount in MountedFilesystems.points(under: filesystem.path).sorted(by: >) where mount != filesystem.path {
            _ = try? TestCommand.asCaller("umount", [mount]).run()
        }
    }

    /// Kills what runs below this test's own directory, and nothing else.
    private static func endProcesses(in path: String, except upstream: TestPostgres? = nil) {
        let deadline = ContinuousClock.now + .seconds(20)
        while ContinuousClock.now < deadline {
            let running = ProcessTable.living(in: path).filter { process in
                guard let upstream else { return true }
                return !process.concerns(upstream.root)
            }
            if running.isEmpty { return }
            for process in running { kill(process.pid, SIGKILL) }
            usleep(20_000)
        }
    }
}
