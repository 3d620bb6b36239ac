import ArchiveModel
import Glibc
import Platform

/// Finds containers by name, by directory, or because there is only one.
package struct ContainerLocator: Sendable {
    package static let standardHome = "/var/lib/pgarchive"

    /// The directory of containers (`PGARCHIVE_HOME`).
    package let home: String

    package init(environment: [String: String]) {
        let home = environment["PGARCHIVE_HOME"] ?? ""
        self.home = home.isEmpty ? Self.standardHome : FileTree.absolute(home)
    }

    /// A container that is here, or should be.
    package struct Entry: Sendable {
        package let name: String
        package let root: String
        package let problem: String?
    }

    /// The directory that `selector` means: a name below the home, or a directory when it has a slash.
    package func root(of selector: String) throws -> String {
        if selector.contains("/") { return FileTree.absolute(selector) }
        try Name.checkContainer(selector)
        return "\(home)/\(selector)"
    }

    package func pool(of name: String) -> PoolPaths {
        PoolPaths(image: "\(home)/pools/\(name).img", record: "\(home)/pools/\(name).json")
    }

    /// The container that is meant: by `selector`, or the only one there is.
    package func locate(_ selector: String?) throws -> String {
        if let selector, !selector.isEmpty {
            let root = try root(of: selector)
            try checkMounted(root)
            try requireReadable(root)
            if !FileTree.exists(ContainerPaths(root: root).identity) {
                let known = (try? list().map(\.name)) ?? []
                throw ArchiveError(
                    .notFound,
                    "there is no container '\(selector)'\(selector.contains("/") ? "" : " in \(home)")",
                    hint: Spelling.nearest(to: selector, among: known).map { "did you mean '\($0)'?" }
                        ?? (known.isEmpty
                            ? "'pgarchive container init --container NAME' makes one"
                            : "there is: \(known.joined(separator: ", "))")
                )
            }
            return try FileTree.resolved(root)
        }
        try requireReadable(home)
        let entries = try list()
        guard let only = entries.first, entries.count == 1 else {
            throw ArchiveError(
                entries.isEmpty ? .notFound : .usage,
                entries.isEmpty ? "there is no container in \(home)" : "several containers: which one is meant?",
                hint: entries.isEmpty
                    ? "'pgarchive container init --container NAME' makes one; PGARCHIVE_HOME names another place"
                    : "add --container with one of: \(entries.map(\.name).joined(separator: ", "))"
            )
        }
        try checkMounted(only.root)
        return try FileTree.resolved(only.root)
    }

    package func open(_ selector: String?) throws -> Container {
        try Container.open(try locate(selector))
    }

    /// All containers of the home, the ones whose pool is not mounted included.
    package func list() throws -> [Entry] {
        var entries: [String: Entry] = [:]
        for name in (try? FileTree.list(home)) ?? [] where name != "pools" && Name.fault(name) == nil {
            let root = "\(home)/\(name)"
            let paths = ContainerPaths(root: root)
            let isUnfinished = FileTree.exists(paths.initMark)
            if isUnfinished || FileTree.exists(paths.identity) {
                entries[name] = Entry(name: name, root: root, problem: isUnfinished ? "its init has not ended" : nil)
            }
        }
        for file in (try? FileTree.list("\(home)/pools")) ?? [] where file.hasSuffix(".json") {
            let name = String(file.dropLast(5))
            if Name.fault(name) == nil, entries[name] == nil {
                entries[name] = Entry(name: name, root: "\(home)/\(name)", problem: "its pool is not mounted")
            }
        }
        return entries.values.sorted { $0.name < $1.name }
    }

    /// What may not be looked into is not the same as what is not there.
    private func requireReadable(_ directory: String) throws {
        guard access(directory, R_OK | X_OK) != 0, errno == EACCES else { return }
        throw ArchiveError(
            .refused,
            "'\(directory)' is closed to user '\((try? SystemUser.current().name) ?? "?")'",
            hint: "run it as the container's owner or as root"
        )
    }

    /// A pool that is not mounted leaves an empty directory: say so instead of seeing an empty container.
    package func checkMounted(_ root: String) throws {
        let name = root.split(separator: "/").last.map(String.init) ?? ""
        guard root == "\(home)/\(name)", FileTree.exists(pool(of: name).record), !(try MountTable.isMountPoint(root))
        else {
            return
        }
        throw ArchiveError(
            .failed,
            "the pool of container '\(name)' is not mounted",
            hint: "'pgarchive container start --container \(name)' as root mounts it"
        )
    }
}

/// Where a loop-mounted pool lies: beside the containers, outside of its own mount.
package struct PoolPaths: Sendable {
    package let image: String
    package let record: String
}
