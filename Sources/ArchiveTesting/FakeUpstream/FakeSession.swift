import Glibc
package import PostgresLink
package import WALFormat

/// One connection to a `FakeUpstream`, which a script has in hand; for the connection's own thread only.
package final class FakeSession {
    /// Thrown by everything once the other side has gone.
    package struct Gone: Error {}

    /// 1 for the first connection.
    package let number: Int
    /// What START_REPLICATION asked for.
    package private(set) var slot: String?
    package private(set) var position = LSN.invalid
    package private(set) var timeline = TimelineID(1)
    package let upstream: FakeUpstream
    private let descriptor: Int32
    private var input: [UInt8] = []
    /// How much of `input` was looked at for replies.
    private var noted = 0
    private var isStreaming = false
    /// How many bytes may still be sent before the connection is cut; nil: any.
    private var outputLeft: Int?
    private var sessionClock = PostgresTime(rawValue: 812_000_000_000_000)

    init(descriptor: Int32, number: Int, upstream: FakeUpstream) {
        self.descriptor = descriptor
        self.number = number
        self.upstream = upstream
        outputLeft = upstream.answers.cutAfter?(number)
    }

    // MARK: - What a script does in a stream

    package func data(_ bytes: [UInt8], at start: LSN, serverEnd: LSN? = nil) throws {
        let header = ReplicationMessage.data(
            start: start,
            payloadBytes: bytes.count,
            serverEnd: serverEnd ?? upstream.answers.flushed,
            serverClock: sessionClock
        )
        try copyData(header.encoded(payload: bytes))
    }

    package func keepalive(end: LSN? = nil, replyRequested: Bool = false) throws {
        let message = ReplicationMessage.keepalive(
            serverEnd: end ?? upstream.answers.flushed,
            serverClock: sessionClock,
            replyRequested: replyRequested
        )
        try copyData(message.encoded())
    }

    package func copyData(_ bytes: [UInt8]) throws { try message("d", bytes) }
    package func copyDone() throws { try message("c", []) }

    /// Ends a timeline as a server does: CopyDone, and when the other side has ended too, where it goes on.
    package func endTimeline(next: TimelineID, at position: LSN) throws {
        try copyDone()
        while let (type, _) = try? frame(), type != UInt8(ascii: "c") {}
        try row(["next_tli", "next_tli_startpos"], ["\(next)", "\(position)"])
        // Two in a row, as a server does.
        try complete("START_STREAMING", ready: false)
        try complete("START_REPLICATION")
        try commands()
    }

    /// Ends in order, as a server that shuts down.
    package func shutDown() throws { try complete("COPY 0", ready: false) }

    /// An error as the server writes it.
    package func error(_ sqlState: String, _ text: String, fatal: Bool = false) throws {
        let severity = fatal ? "FATAL" : "ERROR"
        try message("E", Array("S\(severity)\0V\(severity)\0C\(sqlState)\0M\(text)\0\0".utf8))
        if fatal { throw Gone() }
    }

    /// Sends all that was made from `position` on, in chunks, then answers until the other side goes.
    package func serve(_ craft: WALCraft, to end: LSN? = nil, chunkBytes: Int = 16384) throws {
        try send(craft, to: end, chunkBytes: chunkBytes)
        try answer()
    }

    /// Sends all that was made from `position` on.
    package func send(_ craft: WALCraft, to end: LSN? = nil, chunkBytes: Int = 16384) throws {
        let last = end ?? craft.position
        var at = position
        while at < last {
            let next = min(at.advanced(by: UInt64(chunkBytes)), last)
            try data(craft.bytes(from: at, to: next), at: at)
            at = next
        }
        position = at
    }

    /// Answers replies that ask for it, until the other side goes.
    package func answer() throws {
        while true {
            let reply = try nextReply()
            if reply.replyRequested { try keepalive() }
        }
    }

    /// The next status reply; throws `Gone` when there is none any more.
    @discardableResult
    package func nextReply() throws -> StandbyStatus {
        while true {
            let (type, body) = try frame()
            switch type {
            case UInt8(ascii: "d"):
                guard let reply = body.withUnsafeBytes({ try? StandbyStatus($0) }) else { continue }
                return reply
            case UInt8(ascii: "c"):
                // The other side ends the copy; a server ends it too.
                try copyDone()
                try complete("COPY 0")
                throw Gone()
            default: throw Gone()
            }
        }
    }

    /// Replies until one is as wanted.
    package func waitForReply(_ condition: (StandbyStatus) -> Bool) throws {
        while try !condition(nextReply()) {}
    }

    /// Anything at all, also what is no message; replies are taken while the other side takes nothing.
    package func raw(_ bytes: [UInt8]) throws {
        if let left = outputLeft {
            outputLeft = max(0, left - bytes.count)
            if left <= bytes.count {
                outputLeft = nil
                try raw(Array(bytes.prefix(left)))
                close()
                throw Gone()
            }
        }
        var sent = 0
        while sent < bytes.count {
            var poll = pollfd(fd: descriptor, events: Int16(POLLIN | POLLOUT), revents: 0)
            guard Glibc.poll(&poll, 1, -1) > 0 else { throw Gone() }
            if poll.revents & Int16(POLLIN) != 0 { try receive() }
            guard poll.revents & Int16(POLLOUT) != 0 else { continue }
            // MSG_NOSIGNAL, MSG_DONTWAIT
            let count = bytes[sent...].withUnsafeBytes { Glibc.send(descriptor, $0.baseAddress, $0.count, 0x4040) }
            guard count > 0 || errno == EAGAIN else { throw Gone() }
            sent += max(0, count)
        }
    }

    /// Cuts the connection.
    package func close() { shutdown(descriptor, Int32(SHUT_RDWR)) }

    // MARK: - Up to the stream

    func run() throws {
        try startup()
        try commands()
    }

    private func startup() throws {
        while true {
            let length = try Int(big32())
            let code = try big32()
            guard length >= 8, length < 10000 else { throw Gone() }
            _ = try take(length - 8)
            // SSL and GSS are declined.
            guard code == 196_608 else {
                try raw([UInt8(ascii: "N")])
                continue
            }
            break
        }
        let answers = upstream.answers
        if let refusal = answers.refusal { try error(refusal, "refused", fatal: true) }
        try message("R", [0, 0, 0, 0])
        for (name, value) in [
            ("server_version", answers.serverVersion), ("in_hot_standby", answers.isStandby ? "on" : "off"),
            ("client_encoding", "UTF8"), ("standard_conforming_strings", "on"),
        ] {
            try message("S", Array("\(name)\0\(value)\0".utf8))
        }
        try message("K", [0, 0, 0, 1, 0, 0, 0, 2])
        try message("Z", [UInt8(ascii: "I")])
    }

    private func commands() throws {
        while true {
            let (type, body) = try frame()
            guard type == UInt8(ascii: "Q") else { throw Gone() }
            let command = String(decoding: body.dropLast(), as: UTF8.self)
            upstream.note(command: command)
            try answer(command)
        }
    }

    private func answer(_ command: String) throws {
        let answers = upstream.answers
        if let state = answers.errors.first(where: { command.hasPrefix($0.key) })?.value {
            try error(state, "scripted error")
            return try message("Z", [UInt8(ascii: "I")])
        }
        let words = command.split(separator: " ").map(String.init)
        switch words.first {
        case "IDENTIFY_SYSTEM":
            try row(
                ["systemid", "timeline", "xlogpos", "dbname"],
                ["\(answers.systemIdentifier)", "\(answers.timeline)", "\(answers.flushed)", nil]
            )
            try complete("IDENTIFY_SYSTEM")
        case "SHOW":
            try row([words.last ?? ""], [words.last == "data_directory_mode" ? "0700" : answers.segmentSize])
            try complete("SHOW")
        case "READ_REPLICATION_SLOT":
            let restart = answers.slotRestart
            let place: [String?] = answers.slotKeepsNothing ? ["physical", nil, nil] : [nil, nil, nil]
            try row(
                ["slot_type", "restart_lsn", "restart_tli"],
                restart.map { ["physical", "\($0)", "\(answers.timeline)"] } ?? place
            )
            try complete("READ_REPLICATION_SLOT")
        case "CREATE_REPLICATION_SLOT":
            upstream.change { $0.slotRestart = $0.flushed }
            try row(["slot_name", "consistent_point", "snapshot_name", "output_plugin"], ["s", "0/0", nil, nil])
            try complete("CREATE_REPLICATION_SLOT")
        case "DROP_REPLICATION_SLOT":
            try complete("DROP_REPLICATION_SLOT")
        case "TIMELINE_HISTORY":
            try history(words.last.flatMap { UInt32($0) } ?? 0, answers)
        case "START_REPLICATION":
            try start(words)
        default:
            try error("42601", "syntax error")
            try message("Z", [UInt8(ascii: "I")])
        }
    }

    private func history(_ number: UInt32, _ answers: FakeUpstream.Answers) throws {
        let timeline = TimelineID(number)
        guard let text = answers.histories[timeline] else {
            try error("58P01", "could not open file")
            return try message("Z", [UInt8(ascii: "I")])
        }
        try row(["filename", "content"], [timeline.historyFileName, text])
        try complete("TIMELINE_HISTORY")
    }

    private func start(_ words: [String]) throws {
        guard let place = words.firstIndex(of: "PHYSICAL"), words.count == place + 4,
            let position = LSN(words[place + 1]), let number = UInt32(words[place + 3])
        else { throw Gone() }
        slot = words.firstIndex(of: "SLOT").map { words[$0 + 1] }
        self.position = position
        timeline = TimelineID(number)
        isStreaming = true
        noted = input.count
        try message("W", [0, 0, 0])
        try upstream.stream(self)
    }

    // MARK: - Frames

    private func row(_ names: [String], _ values: [String?]) throws {
        var description = big16(names.count)
        for name in names {
            // Table, column, type (text), its length and modifier, format.
            description += Array(name.utf8) + [0]
            description += big32(0) + big16(0) + big32(25) + big16(0xFFFF) + big32(0xFFFF_FFFF) + big16(0)
        }
        try message("T", description)
        var fields = big16(values.count)
        for value in values {
            if let value {
                fields += big32(value.utf8.count) + Array(value.utf8)
            } else {
                fields += big32(0xFFFF_FFFF)
            }
        }
        try message("D", fields)
    }

    private func complete(_ tag: String, ready: Bool = true) throws {
        try message("C", Array("\(tag)\0".utf8))
        if ready { try message("Z", [UInt8(ascii: "I")]) }
    }

    private func message(_ type: Unicode.Scalar, _ body: [UInt8]) throws {
        try raw([UInt8(ascii: type)] + big32(body.count + 4) + body)
    }

    private func big16(_ value: Int) -> [UInt8] { [UInt8(value >> 8 & 0xFF), UInt8(value & 0xFF)] }
    private func big32(_ value: Int) -> [UInt8] { big16(value >> 16 & 0xFFFF) + big16(value & 0xFFFF) }

    private func frame() throws -> (UInt8, [UInt8]) {
        // Whole frames only: what is taken here was noted before.
        while input.count < 5 { try receive() }
        let length = input[1..<5].reduce(0) { $0 << 8 | Int($1) }
        guard length >= 4, length < 1 << 20 else { throw Gone() }
        while input.count < length + 1 { try receive() }
        let bytes = try take(length + 1)
        return (bytes[0], Array(bytes.dropFirst(5)))
    }

    private func big32() throws -> UInt32 {
        try take(4).reduce(0) { $0 << 8 | UInt32($1) }
    }

    private func take(_ count: Int) throws -> [UInt8] {
        while input.count < count { try receive() }
        defer {
            input.removeFirst(count)
            noted -= count
        }
        return Array(input.prefix(count))
    }

    /// Takes what has arrived, waiting for something; replies count from here on.
    private func receive() throws {
        var chunk = [UInt8](repeating: 0, count: 16384)
        let received = recv(descriptor, &chunk, chunk.count, 0)
        guard received > 0 else { throw Gone() }
        input += chunk.prefix(received)
        guard isStreaming else { return noted = input.count }
        while input.count - noted >= 5 {
            let length = input[(noted + 1)..<(noted + 5)].reduce(0) { $0 << 8 | Int($1) }
            guard length >= 4, input.count - noted >= length + 1 else { return }
            let body = Array(input[(noted + 5)..<(noted + 1 + length)])
            if let reply = body.withUnsafeBytes({ try? StandbyStatus($0) }) { upstream.note(reply: reply) }
            noted += length + 1
        }
    }
}
