internal import Platform

/// What a server says about itself in `postmaster.pid` (PostgreSQL: pidfile.h; one item a line).
package struct PostmasterFile: Sendable, Hashable {
    package enum Status: String, Sendable {
        case starting
        case stopping
        /// Takes connections.
        case ready
        /// Up, but replays and takes no connections (`hot_standby = off`).
        case standby
    }

    package let pid: Int32
    package let dataDirectory: String
    /// Seconds since 1970.
    package let startTime: Int64
    /// Not yet there in the first moments of a start, as is all that follows.
    package let port: Int?
    /// The first of `unix_socket_directories`, nil when there is none.
    package let socketDirectory: String?
    package let listenAddress: String?
    package let status: Status?

    package static let name = "postmaster.pid"

    /// Nil when there is no such file or it is not (yet) one.
    package static func read(dataDirectory: String) -> PostmasterFile? {
        let path = FilePath.join(dataDirectory, name)
        return (try? FileTree.readText(path, limit: 64 << 10)).flatMap { PostmasterFile($0) }
    }

    package init?(_ text: String) {
        let lines = text.split(separator: "\n", omittingEmptySubsequences: false).map(String.init)
        // A postmaster's number; a single-user server writes its own negated.
        guard lines.count >= 3, let pid = Int32(lines[0].trimmed), pid != 0, pid != .min,
            let startTime = Int64(lines[2].trimmed)
        else { return nil }
        self.pid = abs(pid)
        self.startTime = startTime
        dataDirectory = lines[1]
        func line(_ number: Int) -> String? {
            let index = number - 1
            return index < lines.count && !lines[index].isEmpty ? lines[index] : nil
        }
        port = line(4).flatMap { Int($0.trimmed) }
        socketDirectory = line(5)
        listenAddress = line(6)
        status = line(8).flatMap { Status(rawValue: $0.trimmed) }
    }
}

extension String {
    /// Without spaces at both ends.
    var trimmed: String {
        let start = drop { $0 == " " }
        return String(start.reversed().drop { $0 == " " }.reversed())
    }
}
