import Foundation

/// A process as /proc shows it.
package struct SeenProcess: Sendable, Hashable, CustomStringConvertible {
    package let pid: Int32
    package let parent: Int32
    /// The state letter of /proc/PID/stat; Z is a zombie, which runs no more.
    package let state: Character
    package let uid: UInt32
    package let arguments: [String]
    package let workingDirectory: String

    package var isAlive: Bool { state != "Z" && state != "X" }

    package var description: String {
        "\(pid) (\(state)) \(arguments.joined(separator: " ")) in \(workingDirectory)"
    }
}

/// What runs on this system, read from /proc.
package enum ProcessTable {
    package static func all() -> [SeenProcess] {
        let names = (try? FileManager.default.contentsOfDirectory(atPath: "/proc")) ?? []
        return names.compactMap { Int32($0) }.compactMap(process)
    }

    /// The living processes whose arguments or working directory name `path` or something below it.
    package static func living(in path: String) -> [SeenProcess] {
        all().filter { $0.isAlive && $0.pid != getpid() && $0.concerns(path) }
    }

    package static func process(_ pid: Int32) -> SeenProcess? {
        guard let line = contents("/proc/\(pid)/stat"), let close = line.lastIndex(of: ")") else { return nil }
        let fields = line[line.index(after: close)...].split(separator: " ")
        guard let state = fields.first?.first, fields.count > 1, let parent = Int32(fields[1]) else { return nil }
        let arguments = contents("/proc/\(pid)/cmdline")?.split(separator: "\0").map(String.init) ?? []
        var information = stat()
        let uid = stat("/proc/\(pid)", &information) == 0 ? information.st_uid : 0
        let directory = try? FileManager.default.destinationOfSymbolicLink(atPath: "/proc/\(pid)/cwd")
        return SeenProcess(
            pid: pid,
            parent: parent,
            state: state,
            uid: uid,
            arguments: arguments,
            workingDirectory: directory ?? ""
        )
    }

    static func contents(_ path: String) -> String? {
        // Files of /proc have no size; a read to the end is the only way.
        guard let handle = FileHandle(forReadingAtPath: path), let data = try? handle.readToEnd() else { return nil }
        return String(decoding: data, as: UTF8.self)
    }
}

extension SeenProcess {
    func concerns(_ path: String) -> Bool {
        workingDirectory == path || workingDirectory.hasPrefix(path + "/")
            || arguments.contains { $0 == path || $0.contains(path + "/") || $0.hasSuffix(path) }
    }
}
