import ArchiveModel
import Foundation
import Platform

/// Gives each clone a port of its own.
///
/// Ports are allocated under a lock that all containers of a home share.
enum ClonePorts {
    static func withLock<Result>(_ container: Container, _ body: (Int) throws -> Result) throws -> Result {
        let home = container.paths.root.split(separator: "/").dropLast().joined(separator: "/")
        let lockPath =
            access("/\(home)", W_OK) == 0 ? Self.lockPath(home: "/\(home)") : "\(container.paths.run)/ports.lock"
        let lock: HeldLock
        do {
            lock = try HeldLock.acquire(lockPath, wait: 30, description: "port allocation")
        } catch let conflict as LockConflict {
            throw ArchiveError(.conflict, "the ports are being allocated by \(conflict)", hint: "try again")
        }
        defer { lock.release() }
        return try body(try free(container, neighbours: "/\(home)"))
    }

    /// The file means nothing by itself, and may be removed by whoever holds it.
    static func lockPath(home: String) -> String { "\(home)/.ports.lock" }

    private static func free(_ container: Container, neighbours: String) throws -> Int {
        var taken: Set<Int> = [StandbyConfiguration.port]
        var roots = [container.paths.root]
        for name in (try? FileTree.list(neighbours)) ?? [] {
            let root = "\(neighbours)/\(name)"
            if root != container.paths.root, FileTree.exists(ContainerPaths(root: root).identity) { roots.append(root) }
        }
        for root in roots {
            let paths = ContainerPaths(root: root)
            for name in (try? FileTree.list(paths.clones)) ?? [] {
                if let record = try? JSONFile.read(CloneRecord.self, from: paths.clone(name).record) {
                    taken.insert(record.port)
                }
            }
        }
        for port in container.settings.clonePorts where !taken.contains(port) {
            if LocalPort.isFree(port, everywhere: true) { return port }
        }
        let range = container.settings.clonePorts
        throw ArchiveError(
            .conflict,
            "no port is free between \(range.lowerBound) and \(range.upperBound)",
            hint: "delete a clone, or widen clone.ports in \(container.paths.settings)"
        )
    }
}

enum LocalPort {
    /// Whether a server could listen on it now.
    ///
    /// - Parameter everywhere: on all of this host's addresses; otherwise on the one that only it can reach.
    static func isFree(_ port: Int, everywhere: Bool) -> Bool {
        let socket = socket(AF_INET, Int32(SOCK_STREAM.rawValue) | Int32(SOCK_CLOEXEC.rawValue), 0)
        guard socket >= 0 else { return false }
        defer { close(socket) }
        var one: Int32 = 1
        setsockopt(socket, SOL_SOCKET, SO_REUSEADDR, &one, socklen_t(MemoryLayout<Int32>.size))
        var address = sockaddr_in()
        address.sin_family = sa_family_t(AF_INET)
        address.sin_port = in_port_t(UInt16(truncatingIfNeeded: port)).bigEndian
        address.sin_addr.s_addr = in_addr_t(everywhere ? 0 : 0x7F00_0001).bigEndian
        return withUnsafePointer(to: &address) { pointer in
            pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) {
                bind(socket, $0, socklen_t(MemoryLayout<sockaddr_in>.size)) == 0
            }
        }
    }
}
