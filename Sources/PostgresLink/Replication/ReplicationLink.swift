internal import CLibpq
internal import Platform
internal import WALFormat

/// A replication connection over libpq that never blocks once it stands: the driver of `ReplicationMachine`.
///
/// For one thread. The caller polls `socket` and calls `readInput` when it is readable, `flush` when it is writable
/// and `hasOutput` says so, and takes events with `next` until there are none.
package final class ReplicationLink {
    private enum Mode {
        case idle
        case results
        case copying
    }

    private let connection: OpaquePointer
    private var mode = Mode.idle
    private var queued: ReplicationCommand?
    private var brokenReason: String?
    /// The WAL of the data message that `next` returned last lives in libpq's memory until the next call.
    private var buffer: UnsafeMutablePointer<CChar>?
    private var bufferCount = 0
    /// Something could not be sent at once.
    package private(set) var hasOutput = false

    /// Connects, waiting at most `timeoutSeconds` for each host, and not when `wake` becomes readable.
    package init(
        _ target: ConnectionString,
        applicationName: String,
        timeoutSeconds: Int = 10,
        wake: Int32 = -1
    ) throws(LinkError) {
        connection = try ConnectionAttempt.connect(
            target.defaulting(["fallback_application_name": applicationName]).forReplication,
            timeoutSeconds: timeoutSeconds,
            wake: wake
        )
        _ = PQsetnonblocking(connection, 1)
    }

    deinit {
        if let buffer { PQfreemem(buffer) }
        PQfinish(connection)
    }

    package var socket: Int32 { PQsocket(connection) }

    /// To be handed to the machine first.
    package var greeting: ReplicationEvent {
        let standby = PQparameterStatus(connection, "in_hot_standby").map { String(cString: $0) == "on" }
        return .connected(serverVersion: Int(PQserverVersion(connection)), isStandby: standby)
    }

    /// The WAL of the data message that `next` returned last, valid until the next call of it.
    package var payload: UnsafeRawBufferPointer {
        guard let buffer, bufferCount >= ReplicationMessage.payloadOffset else {
            return UnsafeRawBufferPointer(start: nil, count: 0)
        }
        return UnsafeRawBufferPointer(
            start: UnsafeRawPointer(buffer) + ReplicationMessage.payloadOffset,
            count: bufferCount - ReplicationMessage.payloadOffset
        )
    }

    /// Sends a command, once the one before it is answered to its end.
    package func send(_ command: ReplicationCommand) {
        guard mode == .idle else {
            queued = command
            return
        }
        guard PQsendQuery(connection, command.text) == 1 else { return broken() }
        mode = .results
        flush()
    }

    package func send(_ status: StandbyStatus) {
        guard mode == .copying else { return }
        let sent = status.encoded.withUnsafeBytes { bytes in
            PQputCopyData(connection, bytes.baseAddress?.assumingMemoryBound(to: CChar.self), Int32(bytes.count))
        }
        // 0: no room to queue it; a later one says the same and more.
        if sent < 0 { broken() }
        flush()
    }

    /// Tells the server that our side of COPY is over.
    package func endCopy() {
        guard mode == .copying else { return }
        if PQputCopyEnd(connection, nil) < 0 { broken() }
        flush()
    }

    /// Sends what is queued, as far as the socket takes it.
    package func flush() {
        switch PQflush(connection) {
        case 0: hasOutput = false
        case 1: hasOutput = true
        default: broken()
        }
    }

    /// Waits until all is sent, at most so long.
    package func finishSending(seconds: Double) {
        let deadline = Deadline(seconds: seconds)
        flush()
        while hasOutput, brokenReason == nil, !deadline.hasPassed {
            guard Socket.wait(socket, for: .writable, until: deadline) else { return }
            flush()
        }
    }

    /// Reads what has arrived.
    package func readInput() {
        if PQconsumeInput(connection) == 0 { broken() }
    }

    /// What happened next, nil when more input is needed.
    ///
    /// A broken connection is said last, after all that the server managed to send.
    package func next() -> ReplicationEvent? {
        freeBuffer()
        while true {
            switch mode {
            case .copying:
                guard let event = nextMessage() else { return endOfInput() }
                return event
            case .results:
                guard PQisBusy(connection) == 0 else { return endOfInput() }
                guard let result = PQgetResult(connection) else {
                    mode = .idle
                    if let command = queued {
                        queued = nil
                        send(command)
                    }
                    continue
                }
                defer { PQclear(result) }
                if let event = event(of: result) { return event }
            case .idle:
                return endOfInput()
            }
        }
    }

    private func nextMessage() -> ReplicationEvent? {
        let count = PQgetCopyData(connection, &buffer, 1)
        switch count {
        case 1...:
            bufferCount = Int(count)
            do throws(MalformedMessage) {
                return .message(try ReplicationMessage(UnsafeRawBufferPointer(start: buffer, count: bufferCount)))
            } catch {
                return .malformed(error)
            }
        case 0:
            return nil
        case -1:
            mode = .results
            return .copyEnded
        default:
            broken()
            return nil
        }
    }

    private func event(of result: OpaquePointer) -> ReplicationEvent? {
        switch PQresultStatus(result) {
        case PGRES_COPY_BOTH:
            mode = .copying
            return .copyStarted
        case PGRES_COPY_IN:
            // The server has ended its side; it goes on when we end ours.
            if PQputCopyEnd(connection, nil) < 0 { broken() }
            flush()
            return nil
        case PGRES_TUPLES_OK:
            return .row(QueryResult.rows(of: result).first ?? [])
        case PGRES_COMMAND_OK:
            return .commandComplete
        default:
            let error = QueryResult.error(of: result, connection: connection)
            guard error.sqlState != nil else {
                brokenReason = brokenReason ?? error.message
                return nil
            }
            return .serverError(sqlState: error.sqlState, message: error.message)
        }
    }

    private func endOfInput() -> ReplicationEvent? {
        guard let brokenReason else { return nil }
        return .connectionLost(brokenReason)
    }

    private func broken() {
        let text = String(cString: PQerrorMessage(connection))
        brokenReason = brokenReason ?? ConnectionFailure.firstLine(text) ?? "the connection is lost"
        hasOutput = false
    }

    private func freeBuffer() {
        if let buffer { PQfreemem(buffer) }
        buffer = nil
        bufferCount = 0
    }
}
