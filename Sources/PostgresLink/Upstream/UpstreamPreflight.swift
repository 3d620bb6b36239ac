package import WALFormat

/// Looks whether an upstream can be archived, and says all that is missing at once.
package struct UpstreamPreflight: Sendable {
    package struct Finding: Sendable, Hashable {
        package enum Severity: Sendable, Hashable {
            /// Nothing can be done before this is fixed.
            case refusal
            /// Worth knowing.
            case remark
        }

        package let severity: Severity
        package let what: String
        /// The exact line, or lines, that fix it; nil for a remark with nothing to do.
        package let fix: String?
        /// Of a failed connection: by this a caller chooses its exit code.
        package let kind: LinkError.Kind?

        static func refusal(_ what: String, fix: String?, kind: LinkError.Kind? = nil) -> Finding {
            Finding(severity: .refusal, what: what, fix: fix, kind: kind)
        }

        static func remark(_ what: String, fix: String? = nil) -> Finding {
            Finding(severity: .remark, what: what, fix: fix, kind: nil)
        }
    }

    package struct Report: Sendable {
        package var findings: [Finding]
        /// Nil when too little could be read.
        package var facts: UpstreamFacts?

        package var refusals: [Finding] { findings.filter { $0.severity == .refusal } }
        package var isPassed: Bool { refusals.isEmpty && facts != nil }
    }

    package var sql: ConnectionString
    package var replication: ConnectionString
    package var slot: String
    package var installedMajors: [PostgresMajor]
    /// For each of the two connections.
    package var timeoutSeconds: Int

    package init(
        sql: ConnectionString,
        replication: ConnectionString,
        slot: String,
        installedMajors: [PostgresMajor],
        timeoutSeconds: Int = 10
    ) {
        self.sql = sql
        self.replication = replication
        self.slot = slot
        self.installedMajors = installedMajors
        self.timeoutSeconds = timeoutSeconds
    }

    /// Connects by both ways and looks at everything; changes nothing there.
    package func run() -> Report {
        var reading = UpstreamReading()
        let sqlFailure = read(sql, { connection throws(LinkError) in try reading.readSQL(connection, slot: slot) })
        // Only now: it would itself take one of the connections just counted.
        var replicationUser = replication.value(of: "user")
        let replicationFailure = read(replication.forReplication) { connection throws(LinkError) in
            replicationUser = connection.user
            try reading.readReplication(connection)
        }
        if replicationUser == nil { replicationUser = LibpqEnvironment.defaultUser() }

        var findings: [Finding] = []
        if let sqlFailure { findings.append(ConnectionAdvice(self, reading).sqlFinding(sqlFailure)) }
        let checks = PreflightChecks(preflight: self, reading: reading, replicationUser: replicationUser ?? "")
        let checked = checks.findings()
        if let replicationFailure {
            let advice = ConnectionAdvice(self, reading)
            // One cause, one finding: a missing right or no free sender is said by the checks.
            if let finding = advice.replicationFinding(
                replicationFailure,
                user: replicationUser ?? "",
                roleIsFine: checks.roleFinding() == nil,
                sendersAreFine: checks.senderFinding() == nil
            ) {
                findings.append(finding)
            } else if let finding = advice.unseenAccessFinding(user: replicationUser ?? "") {
                findings.append(finding)
            }
        }
        findings += checked
        return Report(findings: findings, facts: reading.facts())
    }

    private func read(
        _ target: ConnectionString,
        _ body: (SQLConnection) throws(LinkError) -> Void
    ) -> LinkError? {
        do throws(LinkError) {
            let connection = try SQLConnection(
                target,
                applicationName: "pgarchive preflight",
                timeoutSeconds: timeoutSeconds,
                statementTimeoutSeconds: 30
            )
            defer { connection.close() }
            try body(connection)
            return nil
        } catch {
            return error
        }
    }
}
