/// Turns a failed connection into a finding: which, why, and what helps.
struct ConnectionAdvice {
    typealias Finding = UpstreamPreflight.Finding

    let preflight: UpstreamPreflight
    let reading: UpstreamReading

    init(_ preflight: UpstreamPreflight, _ reading: UpstreamReading) {
        self.preflight = preflight
        self.reading = reading
    }

    func sqlFinding(_ error: LinkError) -> Finding {
        let target = preflight.sql
        let user = target.value(of: "user") ?? LibpqEnvironment.defaultUser() ?? ""
        let database = target.value(of: "dbname") ?? user
        var fix = commonFix(error, target: target, user: user, database: database)
        if error.sqlState == SQLState.invalidAuthorization {
            // The same SQLSTATE, and the roles cannot be looked at without this connection.
            fix +=
                "\nor, when it is the role that does not exist:\n"
                + "CREATE ROLE \(PreflightChecks.identifier(user)) LOGIN PASSWORD '...';"
        }
        return .refusal(text("SQL", target, error), fix: fix, kind: error.kind)
    }

    /// What can be told of the replication connection's entry in pg_hba.conf when something else fails before it.
    func unseenAccessFinding(user: String) -> Finding? {
        let target = preflight.replication
        let fix = accessFix(target, user: user, database: "replication")
        guard let rules = reading.replicationRules else {
            return .remark(
                "pg_hba.conf has to let the replication connection in as well, which cannot be seen yet",
                fix: fix
            )
        }
        let address = isLocal(target) ? nil : clientAddress(target)
        let first = rules.first { $0.fits(user: user, address: address) }
        guard first == nil || first?.method == "reject" else { return nil }
        let what = first == nil ? "has no entry that lets" : "has an entry that does not let"
        return .refusal("pg_hba.conf \(what) '\(user)' in for replication", fix: fix)
    }

    /// Nil when another finding says it already.
    func replicationFinding(
        _ error: LinkError,
        user: String,
        roleIsFine: Bool,
        sendersAreFine: Bool
    ) -> Finding? {
        let target = preflight.replication
        let what = text("replication", target, error)
        switch error.sqlState {
        case SQLState.insufficientPrivilege:
            guard roleIsFine else { return nil }
            let fix = "ALTER ROLE \(PreflightChecks.identifier(user)) REPLICATION;"
            return .refusal(what, fix: fix, kind: error.kind)
        case SQLState.invalidAuthorization where !roleIsFine:
            return nil
        case SQLState.tooManyConnections:
            guard sendersAreFine else { return nil }
            let fix = "ALTER SYSTEM SET max_wal_senders = 20;  -- then restart PostgreSQL"
            return .refusal(what, fix: fix, kind: error.kind)
        default:
            let fix = commonFix(error, target: target, user: user, database: "replication")
            return .refusal(what, fix: fix, kind: error.kind)
        }
    }

    private func text(_ name: String, _ target: ConnectionString, _ error: LinkError) -> String {
        "the \(name) connection (\(target.redacted)) fails: \(error)"
    }

    private func commonFix(_ error: LinkError, target: ConnectionString, user: String, database: String) -> String {
        switch (error.kind, error.sqlState) {
        case (_, SQLState.invalidAuthorization):
            return accessFix(target, user: user, database: database)
        case (.authentication, nil):
            let entry = [
                target.value(of: "host") ?? "localhost", target.value(of: "port") ?? "5432", database, user, "PASSWORD",
            ]
            return
                "put password=... or passfile=... into the connection string, or this line into the owner's "
                + "~/.pgpass:\n" + entry.joined(separator: ":")
        case (.authentication, _):
            return "correct the password, or set it on the upstream:\n"
                + "ALTER ROLE \(PreflightChecks.identifier(user)) PASSWORD '...';"
        case (_, SQLState.unknownDatabase):
            return "name an existing database in --upstream, for example dbname=postgres"
        case (_, SQLState.cannotConnectNow):
            return "wait until the upstream has started, and try again"
        case (_, SQLState.tooManyConnections):
            return "ALTER SYSTEM SET max_connections = 200;  -- then restart PostgreSQL"
        case (.timedOut, _):
            return "check host and port, and that no firewall swallows the connection"
        case (.unreachable, _) where isLocal(target):
            return "check that PostgreSQL runs here, and has its socket there: host= is to be one of its "
                + "unix_socket_directories, port= its port"
        case (.unreachable, _):
            return "check host and port; that PostgreSQL runs, and listens there:\n"
                + "ALTER SYSTEM SET listen_addresses = '*';  -- then restart PostgreSQL"
        default:
            return error.hint ?? "correct the connection string"
        }
    }

    /// No entry, a rejecting one, or one with a method that does not fit.
    private func accessFix(_ target: ConnectionString, user: String, database: String) -> String {
        let address = isLocal(target) ? nil : clientAddress(target)
        let isOwnName = user == LibpqEnvironment.defaultUser()
        let method = address == nil && isOwnName ? "peer" : hashMethod
        let line = HostBasedAccess.line(database: database, user: user, clientAddress: address, method: method)
        let file = reading.settings["hba_file"] ?? "pg_hba.conf"
        return "put this line into the upstream's \(file), above lines that reject it, "
            + "and reload it (SELECT pg_reload_conf();):\n\(line)"
    }

    private var hashMethod: String { reading.settings["password_encryption"] == "md5" ? "md5" : "scram-sha-256" }

    private func isLocal(_ target: ConnectionString) -> Bool {
        if let address = target.value(of: "hostaddr"), !address.isEmpty { return false }
        guard let host = target.value(of: "host"), !host.isEmpty else { return true }
        // libpq takes "@name" for an abstract socket.
        return host.hasPrefix("/") || host.hasPrefix("@")
    }

    private func clientAddress(_ target: ConnectionString) -> String? {
        let isSameWay =
            target.value(of: "host") == preflight.sql.value(of: "host")
            && target.value(of: "hostaddr") == preflight.sql.value(of: "hostaddr")
        if isSameWay, let seen = reading.clientAddress { return seen }
        let named = target.value(of: "hostaddr").flatMap { $0.isEmpty ? nil : $0 } ?? target.value(of: "host") ?? ""
        let first = named.split(separator: ",").first.map(String.init) ?? ""
        return HostBasedAccess.ownAddress(towards: first) ?? "ADDRESS-OF-THIS-MACHINE"
    }
}
