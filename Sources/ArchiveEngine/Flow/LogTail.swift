import Foundation
import Platform
import PostgresLink

/// The end of a log, for a message.
package enum LogTail {
    /// The last lines of a file; empty when it cannot be read.
    package static func lines(_ path: String, count: Int) -> [String] {
        let bytes = (try? ending(path)) ?? []
        return String(decoding: bytes, as: UTF8.self).split(separator: "\n").suffix(count).map(String.init)
    }

    private static func ending(_ path: String) throws -> [UInt8] {
        let file = try Descriptor.open(path, O_RDONLY)
        let size = try file.size()
        let wanted = min(size, 16_384)
        return try file.bytes(at: size - wanted, count: Int(wanted))
    }

    /// What a server said when it could not go on, from its first words, its CSV logs, and what its restore_command
    /// said.
    package static func reasons(directory: String) -> [String] {
        let log = ServerLog(directory: directory)
        let entries = log.tail(200).filter { $0.isFatal || $0.severity == "ERROR" }
        let first = "\(directory)/startup.log"
        // Once it writes its logs, what it said before is only that it would.
        guard let commands = log.commandsFile(), modified(commands) >= modified(first) else {
            return lines(first, count: 5) + entries.suffix(5).flatMap(\.lines)
        }
        return entries.suffix(5).flatMap(\.lines) + lines(commands, count: 5)
    }

    private static func modified(_ path: String) -> Int64 {
        (try? FileTree.status(path))?.modified ?? 0
    }
}
