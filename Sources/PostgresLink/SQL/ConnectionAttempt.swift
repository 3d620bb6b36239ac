internal import CLibpq
internal import Platform

/// Opens libpq connections with a limit of time for each host.
package enum ConnectionAttempt {
    /// Connects to the first host that answers as wanted.
    ///
    /// With `PQconnectPoll` libpq itself leaves a silent host only at TCP's own timeout, so hosts are tried one by
    /// one here; in return the wait is ours, and the SQLSTATE of a refusal is known.
    ///
    /// With a `wake` descriptor the wait ends with `LinkError.Kind.cancelled` as soon as that is readable.
    package static func connect(
        _ target: ConnectionString,
        timeoutSeconds: Int,
        wake: Int32 = -1
    ) throws(LinkError) -> OpaquePointer {
        var failure: LinkError?
        for candidate in candidates(of: target) {
            do throws(LinkError) {
                return try connectOne(candidate, timeoutSeconds: timeoutSeconds, wake: wake)
            } catch {
                // A refused login is the same on all; libpq stops there too.
                if error.kind == .authentication || error.kind == .cancelled { throw error }
                failure = failure ?? error
            }
        }
        throw failure ?? LinkError(.unreachable, "the connection string names no host")
    }

    /// One connection string for each host, in order.
    static func candidates(of target: ConnectionString) -> [ConnectionString] {
        let hosts = list(target.value(of: "host"))
        let addresses = list(target.value(of: "hostaddr"))
        let ports = list(target.value(of: "port"))
        let count = max(hosts.count, addresses.count)
        guard count > 1 else { return [target] }
        let all = (0..<count).map { index in
            var one = target
            if !hosts.isEmpty { one = one.merging(["host": element(hosts, index)]) }
            if !addresses.isEmpty { one = one.merging(["hostaddr": element(addresses, index)]) }
            if !ports.isEmpty { one = one.merging(["port": element(ports, index)]) }
            return one
        }
        guard target.value(of: "target_session_attrs") == "prefer-standby" else { return all }
        return all.map { $0.merging(["target_session_attrs": "standby"]) }
            + all.map { $0.merging(["target_session_attrs": "any"]) }
    }

    private static func list(_ value: String?) -> [String] {
        value.map { $0.split(separator: ",", omittingEmptySubsequences: false).map(String.init) } ?? []
    }

    /// One port may stand for all hosts.
    private static func element(_ list: [String], _ index: Int) -> String {
        if list.count == 1 { return list[0] }
        return index < list.count ? list[index] : ""
    }

    private static func connectOne(
        _ target: ConnectionString,
        timeoutSeconds: Int,
        wake: Int32
    ) throws(LinkError) -> OpaquePointer {
        let own = target.value(of: "connect_timeout").flatMap { Double($0) }.flatMap { $0 > 0 ? $0 : nil }
        let deadline = Deadline(seconds: own ?? Double(timeoutSeconds))
        guard let connection = start(target.defaulting(standardSettings)) else {
            throw LinkError(.unreachable, "out of memory")
        }
        do throws(LinkError) {
            try handshake(connection, until: deadline, wake: wake)
            return connection
        } catch {
            PQfinish(connection)
            throw error
        }
    }

    /// A peer that vanished is noticed within half a minute, also by a session that only waits.
    private static let standardSettings = [
        "client_encoding": "UTF8",
        "keepalives_idle": "10",
        "keepalives_interval": "5",
        "keepalives_count": "3",
        "tcp_user_timeout": "25000",
    ]

    private static func start(_ target: ConnectionString) -> OpaquePointer? {
        let pairs = target.pairs
        return CStringArray.with(pairs.map(\.keyword)) { keywords in
            CStringArray.with(pairs.map(\.value)) { values in
                PQconnectStartParams(keywords, values, 0)
            }
        }
    }

    private static func handshake(
        _ connection: OpaquePointer,
        until deadline: Deadline,
        wake: Int32
    ) throws(LinkError) {
        _ = PQsetErrorVerbosity(connection, PQERRORS_VERBOSE)
        PQsetNoticeProcessor(connection, { _, _ in }, nil)
        var state = PGRES_POLLING_WRITING
        if PQstatus(connection) == CONNECTION_BAD { throw failure(of: connection) }
        while true {
            let direction: PollEvents = state == PGRES_POLLING_READING ? .readable : .writable
            guard Socket.wait(PQsocket(connection), for: direction, until: deadline, wake: wake) else {
                if !deadline.hasPassed { throw LinkError(.cancelled, "given up while connecting") }
                throw LinkError(.timedOut, "no answer from \(whereTo(connection))")
            }
            state = PQconnectPoll(connection)
            if state == PGRES_POLLING_OK { break }
            if state == PGRES_POLLING_FAILED { throw failure(of: connection) }
        }
        _ = PQsetErrorVerbosity(connection, PQERRORS_DEFAULT)
    }

    private static func failure(of connection: OpaquePointer) -> LinkError {
        let report = ConnectionFailure(report: String(cString: PQerrorMessage(connection)))
        return report.error(needsPassword: PQconnectionNeedsPassword(connection) == 1)
    }

    private static func whereTo(_ connection: OpaquePointer) -> String {
        let host = PQhost(connection).map { String(cString: $0) } ?? ""
        let port = PQport(connection).map { String(cString: $0) } ?? ""
        return host.hasPrefix("/") ? "socket \(host)/.s.PGSQL.\(port)" : "\(host), port \(port)"
    }
}
