internal import ArchiveModel
internal import Glibc

/// The line of pg_hba.conf that lets somebody in.
enum HostBasedAccess {
    /// `database` is `replication` for replication connections, `clientAddress` nil for a Unix socket.
    static func line(database: String = "replication", user: String, clientAddress: String?, method: String) -> String {
        let name = database == "replication" ? database : quoted(database)
        guard let clientAddress else { return "local  \(name)  \(quoted(user))  \(method)" }
        let bits = clientAddress.contains(":") ? 128 : 32
        // The server says a link-local address with its zone, which the file does not know.
        let address = String(clientAddress.prefix { $0 != "%" })
        return "host  \(name)  \(quoted(user))  \(address)/\(bits)  \(method)"
    }

    private static func quoted(_ user: String) -> String {
        let isPlain = user.utf8.allSatisfy { byte in
            (UInt8(ascii: "a")...UInt8(ascii: "z")).contains(byte)
                || (UInt8(ascii: "0")...UInt8(ascii: "9")).contains(byte)
                || byte == UInt8(ascii: "_")
        }
        // `all` and the like are keywords without quotes.
        if isPlain, !["all", "sameuser", "samerole", "replication"].contains(user) { return user }
        return "\"\(user.replacingScalar("\"", with: "\"\""))\""
    }

    /// Our own address on the way to `server`, by connecting a UDP socket, which sends nothing.
    static func ownAddress(towards server: String) -> String? {
        var hints = addrinfo()
        hints.ai_socktype = Int32(SOCK_DGRAM.rawValue)
        var found: UnsafeMutablePointer<addrinfo>?
        guard getaddrinfo(server, "9", &hints, &found) == 0, let info = found else { return nil }
        defer { freeaddrinfo(info) }
        let descriptor = socket(info.pointee.ai_family, info.pointee.ai_socktype | Int32(SOCK_CLOEXEC.rawValue), 0)
        guard descriptor >= 0 else { return nil }
        defer { close(descriptor) }
        guard connect(descriptor, info.pointee.ai_addr, info.pointee.ai_addrlen) == 0 else { return nil }
        var address = sockaddr_storage()
        var length = socklen_t(MemoryLayout<sockaddr_storage>.size)
        var text = [CChar](repeating: 0, count: 128)
        let failure = withUnsafeMutablePointer(to: &address) { pointer in
            pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) { generic -> Int32 in
                guard getsockname(descriptor, generic, &length) == 0 else { return -1 }
                return getnameinfo(generic, length, &text, socklen_t(text.count), nil, 0, NI_NUMERICHOST)
            }
        }
        guard failure == 0 else { return nil }
        return String(decoding: text.prefix { $0 != 0 }.map { UInt8(bitPattern: $0) }, as: UTF8.self)
    }
}
