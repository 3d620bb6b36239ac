import Foundation
import Platform

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

    /// The newest messages of severity FATAL and PANIC, and what the server said just before, of a server's CSV logs.
    package static func reasons(directory: String) -> [String] {
        let files = ((try? FileTree.list(directory)) ?? []).filter { $0.hasSuffix(".csv") }
        let newest = files.max { left, right in modified("\(directory)/\(left)") < modified("\(directory)/\(right)") }
        var found = lines("\(directory)/startup.log", count: 5)
        if let newest {
            found += lines("\(directory)/\(newest)", count: 200).filter { line in
                line.contains(",FATAL,") || line.contains(",PANIC,") || line.contains(",ERROR,")
            }.suffix(5)
        }
        return found
    }

    private static func modified(_ path: String) -> Int64 {
        (try? FileTree.status(path))?.modified ?? 0
    }
}
