import ArchiveModel
import Glibc
import Platform
import PostgresLink

/// A role's new password, which is shown once.
package struct RolePassword: Codable, Hashable, Sendable {
    package let role: String
    package let password: String
}

/// What is done in a clone once it has recovered: its user's scripts, then passwords of its own.
struct CloneSetupWork {
    private let container: Container
    private let record: CloneRecord
    private let progress: Progress
    private let interruption: Interruption?

    init(_ container: Container, _ record: CloneRecord, progress: Progress, interruption: Interruption?) {
        self.container = container
        self.record = record
        self.progress = progress
        self.interruption = interruption
    }

    func run(_ setup: CloneSetup) throws -> [RolePassword] {
        for script in setup.scripts {
            progress.step("running \(script.title)")
            try run(script, database: setup.database)
        }
        guard setup.passwords else { return [] }
        progress.step("giving each role a new password")
        return try givePasswords()
    }

    // MARK: - Scripts

    private func run(_ script: CloneSetup.Script, database: String) throws {
        let path = "\(container.paths.clone(record.name).directory)/\(script.file)"
        let shell = try LocalShell(container, port: record.port, environment: ServerLaunch.standardEnvironment())
        let said = try Descriptor.memory("error")
        let process = try ProcessSpawn.spawn(
            SpawnRequest(
                executable: shell.executable,
                arguments: ["-X", "-q", "-v", "ON_ERROR_STOP=1", "-d", database, "-f", path],
                environment: shell.environment,
                workingDirectory: "/",
                standardError: .descriptor(said.raw),
                newSession: true
            )
        )
        var isEnding = false
        while process.poll() == nil {
            let watched = isEnding ? -1 : interruption?.descriptor ?? -1
            let ready = try Poll.wait(
                [PollItem(process.pidDescriptor), PollItem(watched)],
                timeoutMilliseconds: isEnding ? 5000 : -1
            )
            if isEnding, ready[0].isEmpty { process.signalGroup(SIGKILL) }
            if !ready[1].isEmpty {
                process.signalGroup(SIGTERM)
                isEnding = true
            }
        }
        let status = process.wait()
        try interruption?.check()
        if status.isSuccess { return }
        let text = String(decoding: try said.bytes(count: Int(clamping: min(said.size(), 64 << 10))), as: UTF8.self)
        let lines = text.split(separator: "\n").map { String($0).replacing(path, with: script.title) }
        throw ArchiveError(
            .failed,
            "\(script.title) failed in clone '\(record.name)' (\(status))",
            hint: "psql stops at the first error; a script may go to another database with \\connect",
            details: Array(lines.suffix(10))
        )
    }

    // MARK: - Passwords

    private func givePasswords() throws -> [RolePassword] {
        let connection = try LocalLink.connect(container: container, port: record.port)
        defer { connection.close() }
        // None of them may get into the clone's log.
        for (name, value) in [
            ("log_statement", "none"), ("log_min_duration_statement", "-1"), ("log_min_error_statement", "panic"),
            ("log_min_duration_sample", "-1"), ("log_transaction_sample_rate", "0"),
            ("password_encryption", "scram-sha-256"),
        ] {
            _ = try connection.query("SELECT pg_catalog.set_config($1, $2, false)", [name, value])
        }
        var given: [RolePassword] = []
        try connection.execute("BEGIN")
        for row in try connection.query("SELECT rolname FROM pg_catalog.pg_roles WHERE rolcanlogin ORDER BY 1") {
            guard let role = row.first ?? nil else { continue }
            let password = Self.random()
            let statement = try connection.value(
                "SELECT pg_catalog.format('ALTER ROLE %I PASSWORD %L', $1::text, $2::text)",
                [role, password]
            )
            try connection.execute(statement ?? "")
            given.append(RolePassword(role: role, password: password))
        }
        try connection.execute("COMMIT")
        return given
    }

    /// 24 letters and digits: 142 bits, and nothing that a shell or a URI would take for something else.
    private static func random() -> String {
        let characters = Array("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789")
        var generator = SystemRandomNumberGenerator()
        return String((0..<24).compactMap { _ in characters.randomElement(using: &generator) })
    }
}
