internal import Glibc
internal import Platform

/// The processes which work in a data directory: a postmaster, its children, and what these run.
///
/// Each process of a server has the data directory as its working directory. Directories are compared by device and
/// inode, so that a renamed or differently mounted path is still the same one and a copy is not.
enum DataDirectoryProcesses {
    struct Found: Sendable {
        let identity: ProcessIdentity
        /// The program's name in the kernel, at most 15 bytes.
        let command: String

        var isServer: Bool { command == "postgres" || command == "postmaster" }
    }

    /// Programs that may still change something there; somebody's shell in that directory is none of them.
    private static let commands: Set<String> = ["postgres", "postmaster", "pgarchive-wal"]

    static func list(dataDirectory: String) -> [Found] {
        guard let directory = place(dataDirectory) else { return [] }
        let numbers = ((try? FileTree.list("/proc")) ?? []).compactMap { Int32($0) }
        return numbers.compactMap { pid in
            guard let command = command(pid), commands.contains(command), pid != getpid(),
                let identity = ProcessIdentity.of(pid), place("/proc/\(pid)/cwd") == directory, identity.isAlive
            else { return nil }
            return Found(identity: identity, command: command)
        }
    }

    /// What a process number stands for, as seen from a data directory.
    enum Relation {
        /// A living server process that works in the directory.
        case server(ProcessIdentity)
        /// No such process, a zombie, or one that has nothing to do with the directory.
        case none
        /// Alive, but it belongs to somebody else and cannot be looked into.
        case unknown
    }

    static func relation(of pid: Int32, to dataDirectory: String) -> Relation {
        guard let identity = ProcessIdentity.of(pid), identity.isAlive else { return .none }
        guard let command = command(pid), command == "postgres" || command == "postmaster" else { return .none }
        guard let directory = place(dataDirectory) else { return .none }
        guard let working = place("/proc/\(pid)/cwd") else { return identity.isAlive ? .unknown : .none }
        return working == directory && identity.isAlive ? .server(identity) : .none
    }

    private static func command(_ pid: Int32) -> String? {
        guard let text = try? FileTree.readText("/proc/\(pid)/comm", limit: 4096) else { return nil }
        return text.split(separator: "\n").first.map(String.init)
    }

    private struct Place: Equatable {
        let device: UInt64
        let inode: UInt64
    }

    /// Links are followed: the last component is the directory itself.
    private static func place(_ path: String) -> Place? {
        guard let status = try? FileTree.status(path + "/.") else { return nil }
        return Place(device: status.device, inode: status.inode)
    }
}
