import Glibc
import Platform
package import PostgresLink
import Synchronization
package import WALFormat

/// A walsender of the test's own: plain TCP, trust, a script instead of a server.
///
/// Each connection is served on a thread by the handshake's answers and, from START_REPLICATION on, by `stream`.
package final class FakeUpstream: Sendable {
    /// What is answered before a stream; may change as the test goes on.
    package struct Answers: Sendable {
        package var systemIdentifier: UInt64
        package var timeline = TimelineID(1)
        package var flushed: LSN
        package var segmentSize: String
        package var serverVersion = "15.18"
        package var isStandby = false
        /// Restart position; nil: the slot is missing.
        package var slotRestart: LSN?
        /// The slot is there, and keeps nothing: it is invalidated.
        package var slotKeepsNothing = false
        package var histories: [TimelineID: String] = [:]
        /// SQLSTATE with which logins are refused.
        package var refusal: String?
        /// Commands (by their first words) that are answered with an error, and its SQLSTATE.
        package var errors: [String: String] = [:]
        /// After how many bytes of its output the connection of this number is cut; nil: never.
        package var cutAfter: (@Sendable (_ number: Int) -> Int?)?
    }

    package typealias Stream = @Sendable (FakeSession) throws -> Void

    private struct State {
        var answers: Answers
        var stream: Stream
        var connections = 0
        var commands: [String] = []
        var replies: [StandbyStatus] = []
        var lastConnectionsFirstReply = 0
        var living: [Int32] = []
        var isClosed = false
    }

    package let port: Int
    private let listener: Int32
    private let state: Mutex<State>

    /// Listens on a port of its own; by default it streams what `craft` holds and then only answers.
    package init(_ craft: WALCraft, stream: Stream? = nil) throws {
        let answers = Answers(
            systemIdentifier: craft.systemIdentifier,
            timeline: craft.timeline,
            flushed: craft.position,
            segmentSize: "\(craft.segmentSize)",
            slotRestart: craft.start
        )
        state = Mutex(State(answers: answers, stream: stream ?? { try $0.serve(craft) }))
        listener = socket(AF_INET, Int32(SOCK_STREAM.rawValue) | 0o2000000, 0)
        var address = sockaddr_in()
        address.sin_family = sa_family_t(AF_INET)
        address.sin_addr.s_addr = UInt32(0x7F00_0001).bigEndian
        var length = socklen_t(MemoryLayout<sockaddr_in>.size)
        let descriptor = listener
        let isListening = withUnsafeMutablePointer(to: &address) { pointer in
            pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) { generic in
                bind(descriptor, generic, length) == 0 && listen(descriptor, 8) == 0
                    && getsockname(descriptor, generic, &length) == 0
            }
        }
        guard isListening else { throw TestFailure("cannot listen: errno \(errno)") }
        port = Int(UInt16(bigEndian: address.sin_port))
        _ = try OwnedThread.start(name: "fake-upstream") { [self] in accept() }
    }

    /// For the receiver.
    package var connection: String { "host=127.0.0.1 port=\(port) user=fake sslmode=disable gssencmode=disable" }

    package func change(_ body: @Sendable (inout Answers) -> Void) { state.withLock { body(&$0.answers) } }
    package func script(_ stream: @escaping Stream) { state.withLock { $0.stream = stream } }

    package var answers: Answers { state.withLock { $0.answers } }
    /// How many connections there were.
    package var connections: Int { state.withLock { $0.connections } }
    /// Every command of every connection.
    package var commands: [String] { state.withLock { $0.commands } }
    /// Every status reply of every connection.
    package var replies: [StandbyStatus] { state.withLock { $0.replies } }

    /// Those of the newest connection.
    package var repliesOfLastConnection: [StandbyStatus] {
        state.withLock { Array($0.replies.dropFirst($0.lastConnectionsFirstReply)) }
    }

    func note(command: String) { state.withLock { $0.commands.append(command) } }
    func note(reply: StandbyStatus) { state.withLock { $0.replies.append(reply) } }
    var stream: Stream { state.withLock { $0.stream } }

    /// Ends all connections, and takes no more.
    package func close() {
        let living = state.withLock { state in
            let first = !state.isClosed
            state.isClosed = true
            return first ? state.living + [listener] : []
        }
        for descriptor in living { shutdown(descriptor, Int32(SHUT_RDWR)) }
    }

    /// Cuts the living connections, and goes on listening.
    package func cut() {
        for descriptor in state.withLock({ $0.living }) { shutdown(descriptor, Int32(SHUT_RDWR)) }
    }

    private func accept() {
        while true {
            let raw = Glibc.accept(listener, nil, nil)
            guard raw >= 0 else { break }
            _ = fcntl(raw, F_SETFD, FD_CLOEXEC)
            var on: Int32 = 1
            // As a server: small messages are sent at once.
            setsockopt(raw, Int32(IPPROTO_TCP), TCP_NODELAY, &on, socklen_t(MemoryLayout<Int32>.size))
            let number = state.withLock { state in
                state.connections += 1
                state.lastConnectionsFirstReply = state.replies.count
                state.living.append(raw)
                return state.connections
            }
            _ = try? OwnedThread.start(name: "fake-session") { [self] in
                let session = FakeSession(descriptor: raw, number: number, upstream: self)
                try? session.run()
                state.withLock { state in state.living.removeAll { $0 == raw } }
                Glibc.close(raw)
            }
        }
        Glibc.close(listener)
    }
}
