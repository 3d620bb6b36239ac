internal import CLibpq
internal import Platform

/// One libpq connection for SQL, or for commands of the replication protocol (`ConnectionString.forReplication`).
///
/// Every call blocks its thread, within the time allowed. To be used by one thread at a time.
package final class SQLConnection {
    private var connection: OpaquePointer?
    /// As a number: 150018 is 15.18.
    package let serverVersion: Int
    /// Seconds that a statement may take when the call names no limit; nil is for ever.
    package var statementTimeoutSeconds: Double?

    /// Connects; libpq's rules for several hosts apply.
    ///
    /// - Parameters:
    ///   - target: Where to; nothing is taken from the environment.
    ///   - applicationName: Seen in `pg_stat_activity`, unless `target` names one itself.
    ///   - timeoutSeconds: The longest that each host is waited for (`connect_timeout` in `target` wins).
    ///   - statementTimeoutSeconds: See the property of that name.
    /// - Throws: `unreachable`, `authentication`, `server` (no such database) or `timedOut`.
    package init(
        _ target: ConnectionString,
        applicationName: String,
        timeoutSeconds: Int = 10,
        statementTimeoutSeconds: Double? = nil
    ) throws(LinkError) {
        let opened = try ConnectionAttempt.connect(
            target.defaulting(["application_name": applicationName]),
            timeoutSeconds: timeoutSeconds
        )
        connection = opened
        serverVersion = Int(PQserverVersion(opened))
        self.statementTimeoutSeconds = statementTimeoutSeconds
    }

    deinit { close() }

    /// Ends the session; done by deinit too.
    package func close() {
        guard let connection else { return }
        PQfinish(connection)
        self.connection = nil
    }

    /// Ends the session, and first what it is at: a server notices only at its next word that nobody listens.
    package func cancelAndClose() {
        if let connection, PQtransactionStatus(connection) == PQTRANS_ACTIVE { cancel(connection) }
        close()
    }

    /// The backend's process id on the server's machine.
    package var backendPID: Int32 { connection.map { PQbackendPID($0) } ?? 0 }

    /// The server's reported value of a parameter such as `server_version`, `in_hot_standby`, `is_superuser`.
    package func parameterStatus(_ name: String) -> String? {
        guard let connection, let value = PQparameterStatus(connection, name) else { return nil }
        return String(cString: value)
    }

    /// The role which the session is logged in as.
    package var user: String { text(PQuser) ?? "" }
    /// The host name or socket directory in use.
    package var host: String { text(PQhost) ?? "" }
    /// The server's address, empty over a Unix socket of which libpq says none.
    package var hostAddress: String { text(PQhostaddr) ?? "" }
    package var port: String { text(PQport) ?? "" }
    package var database: String { text(PQdb) ?? "" }

    private func text(_ read: (OpaquePointer?) -> UnsafeMutablePointer<CChar>?) -> String? {
        connection.flatMap { read($0) }.map { String(cString: $0) }
    }

    /// Runs a statement and returns its rows as text, NULL as nil.
    ///
    /// Without parameters it goes by the simple protocol: several statements separated by `;` may be given (the
    /// last one's rows are returned), and the replication protocol's commands work.
    /// - Parameters:
    ///   - sql: The statement, with `$1`… for parameters.
    ///   - parameters: Sent as text; the server gives them their types.
    ///   - timeoutSeconds: After this the statement is cancelled; nil means `statementTimeoutSeconds`.
    ///   - interrupt: a descriptor which, once readable, cancels the statement too.
    /// - Returns: The rows in the server's order.
    /// - Throws: `server` with the SQLSTATE, `timedOut`, or `unreachable` when the connection is lost.
    package func query(
        _ sql: String,
        _ parameters: [String?] = [],
        timeoutSeconds: Double? = nil,
        interrupt: Int32 = -1
    ) throws(LinkError) -> [[String?]] {
        guard let connection else { throw LinkError(.unreachable, "the connection is closed") }
        try send(sql, parameters, over: connection)
        return try finish(timeoutSeconds: timeoutSeconds, interrupt: interrupt)
    }

    /// Sends a statement, whose rows `finish` waits for.
    ///
    /// Meanwhile another connection's can be sent.
    package func start(_ sql: String) throws(LinkError) {
        guard let connection else { throw LinkError(.unreachable, "the connection is closed") }
        try send(sql, [], over: connection)
    }

    /// The rows of what was started.
    package func finish(timeoutSeconds: Double? = nil, interrupt: Int32 = -1) throws(LinkError) -> [[String?]] {
        guard let connection else { throw LinkError(.unreachable, "the connection is closed") }
        let limit = timeoutSeconds ?? statementTimeoutSeconds
        return try collect(from: connection, deadline: Deadline(seconds: limit), interrupt: interrupt)
    }

    /// Runs statements of which no rows are wanted.
    package func execute(
        _ sql: String,
        timeoutSeconds: Double? = nil,
        interrupt: Int32 = -1
    ) throws(LinkError) {
        _ = try query(sql, timeoutSeconds: timeoutSeconds, interrupt: interrupt)
    }

    /// The first column of the first row, nil when there is none.
    package func value(_ sql: String, _ parameters: [String?] = []) throws(LinkError) -> String? {
        try query(sql, parameters).first?.first ?? nil
    }

    private func send(_ sql: String, _ parameters: [String?], over connection: OpaquePointer) throws(LinkError) {
        guard !sql.utf8.contains(0), !parameters.contains(where: { $0?.utf8.contains(0) ?? false }) else {
            throw LinkError(.server, "a statement or parameter contains a NUL byte", sqlState: "22021")
        }
        let sent: Int32
        if parameters.isEmpty {
            sent = PQsendQuery(connection, sql)
        } else {
            sent = CStringArray.with(parameters) { values in
                PQsendQueryParams(connection, sql, Int32(parameters.count), nil, values, nil, nil, 0)
            }
        }
        guard sent == 1 else { throw lost(connection) }
    }

    /// Reads results until there are no more, so that the connection can be used again whatever happened.
    private func collect(
        from connection: OpaquePointer,
        deadline: Deadline,
        interrupt: Int32
    ) throws(LinkError) -> [[String?]] {
        var rows: [[String?]] = []
        var failure: LinkError?
        while true {
            try awaitResult(connection, deadline, interrupt)
            guard let result = PQgetResult(connection) else { break }
            defer { PQclear(result) }
            switch PQresultStatus(result) {
            case PGRES_TUPLES_OK, PGRES_SINGLE_TUPLE: rows = QueryResult.rows(of: result)
            case PGRES_COMMAND_OK, PGRES_EMPTY_QUERY: rows = []
            case PGRES_COPY_IN, PGRES_COPY_OUT, PGRES_COPY_BOTH:
                close()
                throw LinkError(.protocolViolation, "COPY is not possible here")
            default:
                failure = failure ?? QueryResult.error(of: result, connection: connection)
            }
        }
        if PQstatus(connection) == CONNECTION_BAD {
            let reason = failure ?? lost(connection)
            close()
            throw LinkError(.unreachable, reason.message, sqlState: reason.sqlState, detail: reason.detail)
        }
        if let failure { throw failure }
        return rows
    }

    private func awaitResult(
        _ connection: OpaquePointer,
        _ deadline: Deadline,
        _ interrupt: Int32
    ) throws(LinkError) {
        var deadline = deadline
        var isCancelled = false
        while PQisBusy(connection) == 1 {
            let wake = isCancelled ? -1 : interrupt
            guard Socket.wait(PQsocket(connection), for: .readable, until: deadline, wake: wake) else {
                if isCancelled {
                    close()
                    throw LinkError(.timedOut, "the server answers neither the statement nor its cancellation")
                }
                isCancelled = true
                deadline = Deadline(seconds: 5)
                cancel(connection)
                continue
            }
            guard PQconsumeInput(connection) == 1 else { break }
        }
        guard isCancelled else { return }
        while let result = PQgetResult(connection) { PQclear(result) }
        throw LinkError(
            .timedOut,
            "the statement took longer than allowed and was cancelled",
            sqlState: SQLState.queryCancelled
        )
    }

    private func cancel(_ connection: OpaquePointer) {
        guard let request = PQgetCancel(connection) else { return }
        defer { PQfreeCancel(request) }
        withUnsafeTemporaryAllocation(of: CChar.self, capacity: 256) { buffer in
            _ = PQcancel(request, buffer.baseAddress, Int32(buffer.count))
        }
    }

    private func lost(_ connection: OpaquePointer) -> LinkError {
        let text = String(cString: PQerrorMessage(connection))
        return LinkError(.unreachable, ConnectionFailure.firstLine(text) ?? "the connection is lost")
    }
}
