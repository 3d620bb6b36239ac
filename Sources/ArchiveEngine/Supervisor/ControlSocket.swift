import ArchiveModel
import Foundation
package import Platform

/// A Unix stream socket with one line of JSON each way per connection.
enum ControlSocket {
    /// `sun_path` holds 107 bytes and a terminating zero (unix(7)).
    static let longestPath = 107

    static func listen(_ path: String) throws -> Descriptor {
        try? FileTree.removeFile(path)
        let socket = try stream()
        var address = try address(path)
        let bound = withUnsafePointer(to: &address) { pointer in
            pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) {
                bind(socket.raw, $0, socklen_t(MemoryLayout<sockaddr_un>.size))
            }
        }
        guard bound == 0 else { throw SystemError(call: "bind", errno: errno, path: path) }
        guard Glibc.listen(socket.raw, 16) == 0 else { throw SystemError(call: "listen", errno: errno, path: path) }
        return socket
    }

    static func connect(_ path: String, timeoutSeconds: Int) throws -> Descriptor {
        let socket = try stream()
        limit(socket.raw, seconds: timeoutSeconds)
        var address = try address(path)
        let connected = withUnsafePointer(to: &address) { pointer in
            pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) {
                Glibc.connect(socket.raw, $0, socklen_t(MemoryLayout<sockaddr_un>.size))
            }
        }
        guard connected == 0 else { throw SystemError(call: "connect", errno: errno, path: path) }
        return socket
    }

    /// The next connection's descriptor, which the caller closes.
    static func accept(_ listener: borrowing Descriptor) throws(SystemError) -> Int32 {
        let connection = Glibc.accept(listener.raw, nil, nil)
        guard connection >= 0 else { throw SystemError(call: "accept", errno: errno, path: nil) }
        _ = fcntl(connection, F_SETFD, FD_CLOEXEC)
        limit(connection, seconds: 10)
        return connection
    }

    static func send<Message: Encodable>(_ message: Message, to socket: Int32) throws {
        var bytes = [UInt8](try JSONEncoder().encode(message))
        bytes.append(0x0A)
        var sent = 0
        while sent < bytes.count {
            let count = bytes[sent...].withUnsafeBytes {
                Glibc.send(socket, $0.baseAddress, $0.count, Int32(MSG_NOSIGNAL))
            }
            guard count > 0 else {
                if errno == EINTR { continue }
                throw SystemError(call: "send", errno: errno, path: nil)
            }
            sent += count
        }
    }

    static func receive<Message: Decodable>(_ type: Message.Type, from socket: Int32) throws -> Message {
        var bytes: [UInt8] = []
        var buffer = [UInt8](repeating: 0, count: 4096)
        while !bytes.contains(0x0A), bytes.count < 1 << 16 {
            let count = recv(socket, &buffer, buffer.count, 0)
            if count < 0, errno == EINTR { continue }
            guard count > 0 else {
                throw SystemError(call: "recv", errno: count == 0 ? ECONNRESET : errno, path: nil)
            }
            bytes += buffer[..<count]
        }
        return try JSONDecoder().decode(type, from: Data(bytes.prefix { $0 != 0x0A }))
    }

    private static func stream() throws -> Descriptor {
        let socket = socket(AF_UNIX, Int32(SOCK_STREAM.rawValue) | Int32(SOCK_CLOEXEC.rawValue), 0)
        guard socket >= 0 else { throw SystemError(call: "socket", errno: errno, path: nil) }
        return Descriptor(owning: socket)
    }

    private static func limit(_ socket: Int32, seconds: Int) {
        var time = timeval(tv_sec: seconds, tv_usec: 0)
        setsockopt(socket, SOL_SOCKET, SO_RCVTIMEO, &time, socklen_t(MemoryLayout<timeval>.size))
        setsockopt(socket, SOL_SOCKET, SO_SNDTIMEO, &time, socklen_t(MemoryLayout<timeval>.size))
    }

    private static func address(_ path: String) throws -> sockaddr_un {
        guard path.utf8.count <= longestPath else { throw SystemError(call: "bind", errno: ENAMETOOLONG, path: path) }
        var address = sockaddr_un()
        address.sun_family = sa_family_t(AF_UNIX)
        withUnsafeMutableBytes(of: &address.sun_path) { buffer in
            buffer.copyBytes(from: path.utf8)
        }
        return address
    }
}

/// Asks the supervisor of a container.
package struct ControlClient: Sendable {
    let container: Container

    package init(_ container: Container) {
        self.container = container
    }

    /// The process that holds the supervisor's lock.
    package var supervisor: LockHolder? { (try? HeldLock.isHeld(container.paths.supervisorLock)) ?? nil }

    /// Sends a request, and waits until the parts are as it asks, for as long as they are on their way.
    ///
    /// - Parameter patience: how long; when it is over, the answer says that they are not settled.
    /// - Returns: nil when there is no supervisor, or none any more.
    package func carryOut(_ request: ControlRequest, _ patience: Patience = Patience()) throws -> ControlReply? {
        var request = request
        request.waitSeconds = patience.secondsLeft
        guard var reply = try send(request) else { return nil }
        while !reply.isSettled, !patience.isOver {
            patience.remark(reply)
            let wait = ControlRequest(.wait, parts: request.parts, waitSeconds: patience.secondsLeft)
            guard let next = try send(wait) else { return nil }
            reply = next
        }
        return reply
    }

    /// Sends a request; nil when there is no supervisor, or none any more.
    ///
    /// The supervisor answers within `Supervisor.longestAnswerSeconds`, settled or not.
    package func send(_ request: ControlRequest, timeoutSeconds: Int = 60) throws -> ControlReply? {
        let reply: ControlReply
        do {
            reply = try exchange(request, timeoutSeconds: timeoutSeconds)
        } catch let error as SystemError {
            // The last two: it ended before it answered.
            if [ENOENT, ECONNREFUSED, ECONNRESET, EPIPE].contains(error.errno) { return nil }
            throw ArchiveError(
                .failed,
                "the supervisor does not answer: \(error)",
                hint: "see \(container.paths.supervisorLog)"
            )
        }
        if let error = reply.error { throw ArchiveError(.failed, error, hint: reply.hint) }
        return reply
    }

    private func exchange(_ request: ControlRequest, timeoutSeconds: Int) throws -> ControlReply {
        let socket = try ControlSocket.connect(container.paths.controlSocket, timeoutSeconds: timeoutSeconds)
        try ControlSocket.send(request, to: socket.raw)
        return try ControlSocket.receive(ControlReply.self, from: socket.raw)
    }
}
