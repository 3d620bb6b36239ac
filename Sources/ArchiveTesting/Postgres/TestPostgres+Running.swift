import Foundation

extension TestPostgres {
    package enum StopMode: String, Sendable {
        case smart, fast, immediate
    }

    package func start() throws {
        forgetDeadPostmaster()
        // Through env: it is for the server, and not for what first changes the user.
        let result = try TestCommand(
            "/usr/bin/env",
            options.environment.map { "\($0.key)=\($0.value)" } + [
                "\(bin)/pg_ctl", "-D", data, "-l", "\(root)/log", "-w", "-t", "60", "start",
            ]
        ).run(deadline: 90)
        guard result.status == 0 else { throw TestFailure("PostgreSQL did not start: \(result)\n\(log)") }
    }

    package func stop(_ mode: StopMode = .fast) throws {
        guard postmaster != nil else { return }
        try TestCommand("\(bin)/pg_ctl", ["-D", data, "-m", mode.rawValue, "-w", "-t", "60", "stop"])
            .succeed(deadline: 90)
    }

    package func restart() throws {
        try stop()
        try start()
    }

    /// Ends every process of the server as a crash of the host would.
    package func killHard() throws {
        guard let postmaster else { return }
        kill(postmaster.pid, SIGKILL)
        try eventually(within: 20, "the killed server's processes are gone") {
            ProcessTable.living(in: data).isEmpty
        }
        // Where nobody collects the dead, their numbers stay taken, and the lock would look held.
        forgetSocket()
    }

    /// The living postmaster.
    package var postmaster: SeenProcess? {
        guard let text = try? String(contentsOfFile: "\(data)/postmaster.pid", encoding: .utf8),
            let pid = text.split(separator: "\n").first.flatMap({ Int32($0) }),
            let process = ProcessTable.process(pid), process.isAlive, process.workingDirectory == data
        else { return nil }
        return process
    }

    /// Stops and waits for the end of a test; never throws, since it runs in `defer`.
    package func destroy() {
        try? stop(.immediate)
        if let postmaster { kill(postmaster.pid, SIGKILL) }
        try? eventually(within: 10, "server processes gone") { ProcessTable.living(in: data).isEmpty }
    }

    /// A killed postmaster may stay a zombie for seconds, and PostgreSQL takes a zombie for a running server.
    private func forgetDeadPostmaster() {
        guard postmaster == nil else { return }
        unlink("\(data)/postmaster.pid")
        forgetSocket()
    }

    private func forgetSocket() {
        for file in ["\(sockets)/.s.PGSQL.\(port).lock", "\(sockets)/.s.PGSQL.\(port)"] { unlink(file) }
    }

    // MARK: SQL

    /// The result of one or more statements: columns separated by `|`, a line per row.
    @discardableResult
    package func sql(_ text: String, database: String = "postgres", deadline: Double = 60) throws -> String {
        let command = TestCommand(
            "\(bin)/psql",
            ["-XAtq", "-v", "ON_ERROR_STOP=1", "-d", connection + " dbname=\(database)", "-f", "-"]
        )
        return try command.succeed(input: text, deadline: deadline).text
    }

    /// Starts a session that goes on in the background until its statements are done or it is ended.
    package func startSession(_ text: String) throws -> TestProcess {
        var command = TestCommand("\(bin)/psql", ["-XAtq", "-v", "ON_ERROR_STOP=1", "-d", connection, "-f", "-"])
        command.input = text
        return try command.start()
    }

    package func pgbenchInitialize(scale: Int = 1) throws {
        try TestCommand("\(bin)/pgbench", ["-i", "-q", "-s", "\(scale)"] + pgbenchPlace).succeed(deadline: 300)
    }

    /// Starts pgbench in the background, with the built-in load or a script.
    package func startPgbench(
        seconds: Int,
        clients: Int = 4,
        rate: Int? = nil,
        script: String? = nil
    ) throws -> TestProcess {
        var arguments = ["-n", "-c", "\(clients)", "-j", "1", "-T", "\(seconds)"]
        if let rate { arguments += ["-R", "\(rate)"] }
        if let script {
            let path = "\(root)/script-\(UInt32.random(in: 0...UInt32.max)).sql"
            try TestCommand("/bin/sh", ["-c", "cat > '\(path)'"]).succeed(input: script)
            arguments += ["-f", path]
        }
        return try TestCommand("\(bin)/pgbench", arguments + pgbenchPlace).start()
    }

    private var pgbenchPlace: [String] { ["-h", sockets, "-p", "\(port)", "-U", "postgres", "postgres"] }

    // MARK: WAL

    /// Completes the current segment, and returns its name.
    @discardableResult
    package func switchSegment() throws -> String {
        // Something must have been written since the last switch, otherwise there is nothing to switch away from.
        try sql("select pg_logical_emit_message(false, 'test', 'switch'); select pg_walfile_name(pg_switch_wal())")
            .split(separator: "\n").last.map(String.init) ?? ""
    }

    /// Completes the current segment and waits until archive_command has copied it.
    @discardableResult
    package func switchAndArchive() throws -> String {
        let name = try switchSegment()
        try eventually(within: 60, "archive_command copied \(name)") {
            FileManager.default.fileExists(atPath: "\(copies)/\(name)")
        }
        return name
    }

    /// Stops, and comes back as the promoted standby of itself, on the next timeline.
    package func changeTimeline() throws {
        try stop()
        try TestCommand("/bin/sh", ["-c", "touch '\(data)/standby.signal'"]).succeed()
        // A standby wants to know where WAL may come from.
        try TestCommand("/bin/sh", ["-c", "cat >> '\(data)/postgresql.conf'"])
            .succeed(input: "restore_command = '/bin/false'\n")
        try start()
        try sql("select pg_promote(true, 60)")
        try eventually("the promoted server writes") { try sql("select pg_is_in_recovery()") == "f" }
    }

    package func currentLSN() throws -> String { try sql("select pg_current_wal_lsn()") }

    package func slots() throws -> [String] {
        try sql("select slot_name from pg_replication_slots order by 1").split(separator: "\n").map(String.init)
    }
}
