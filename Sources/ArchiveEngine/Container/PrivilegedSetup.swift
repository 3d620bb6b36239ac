import ArchiveModel
import Glibc
import Platform

/// The parts of init, purge, start and restore that only root can do: making, mounting and removing a pool, and
/// directories where the owner may not.
///
/// All else runs in a second process as the container's owner, so that no file of a container ever belongs to root.
package struct PrivilegedSetup: Sendable {
    let locator: ContainerLocator
    let owner: SystemUser
    /// This program's own arguments and environment, for the second process.
    let arguments: [String]
    let environment: [String: String]

    package init(
        locator: ContainerLocator,
        owner: String,
        arguments: [String],
        environment: [String: String]
    ) throws {
        guard let user = try SystemUser.named(owner) else {
            throw ArchiveError(
                .usage,
                "user '\(owner)' does not exist here",
                hint: "install PostgreSQL's server package, which makes user postgres, or give --owner"
            )
        }
        guard user.uid != 0 else {
            throw ArchiveError(
                .usage,
                "root cannot own a container: PostgreSQL refuses to run as root",
                hint: "give another user with --owner"
            )
        }
        self.locator = locator
        self.owner = user
        self.arguments = arguments
        self.environment = environment
    }

    /// Makes the pool, runs init as the owner, and removes the pool when that fails.
    ///
    /// Returns the exit code. `childFlag` tells the second process that the pool is there.
    package func initWithPool(name: String, bytes: UInt64, childFlag: String, note: (String) -> Void) throws -> Int32 {
        try checkOwnerReach()
        try HomeDirectory.prepare(locator.home, owner: owner)
        let pool = ContainerPool(locator: locator, name: name)
        let lock = try pool.hold(for: "container init")
        defer { pool.free(lock) }
        try pool.create(bytes: bytes, owner: owner)
        let code = try runAsOwner(childFlag)
        if code != 0 { removeUnused(pool, note) }
        return code
    }

    /// What the owner's half could not take back, or has finished all the same, is not thrown away with the pool: it
    /// knows of the slot.
    private func removeUnused(_ pool: ContainerPool, _ note: (String) -> Void) {
        let paths = ContainerPaths(root: pool.root)
        do {
            guard !FileTree.exists(paths.initMark) else {
                note("the pool is kept, with what is not undone; init, or 'pgarchive container purge', tries it again")
                if let remark = try InitMark.read(paths)?.slotRemark { note(remark) }
                return
            }
            if !FileTree.exists(paths.identity) { try pool.remove() }
        } catch {
            note("the pool is still there: \(error); 'pgarchive container purge' removes it")
        }
    }

    /// Runs purge as the owner, then unmounts and removes the pool.
    ///
    /// Without a mount the owner's half still drops the slot, by what the environment says.
    package func purgeWithPool(name: String, childFlag: String) throws -> Int32 {
        let pool = ContainerPool(locator: locator, name: name)
        let lock = try pool.hold(for: "container purge")
        defer { pool.free(lock) }
        let code = try runAsOwner(childFlag)
        if Self.isPurged(code) { try pool.remove() }
        return code
    }

    /// Without a pool: what root prepares before it becomes the owner for good.
    package func prepareDirectory(root: String) throws {
        try checkOwnerReach()
        try HomeDirectory.prepare(FilePath.parent(of: root), owner: owner)
        let parent = try FileTree.status(FilePath.parent(of: root))
        guard parent.uid != owner.uid, !FileTree.exists(root) else { return }
        try FileTree.makeDirectory(root, mode: 0o700)
        try FileTree.changeOwner(root, uid: owner.uid, gid: owner.gid)
    }

    /// Runs init as the owner in a directory that root has prepared, and removes that when it fails.
    package func initInDirectory(root: String, childFlag: String) throws -> Int32 {
        let isNew = !FileTree.exists(root)
        try prepareDirectory(root: root)
        let code = try runAsOwner(childFlag)
        // Only when it is empty, as the owner leaves it.
        if code != 0, isNew { rmdir(root) }
        return code
    }

    /// Runs purge as the owner, then removes the directory, which its owner may not be allowed to.
    package func purgeDirectory(root: String, childFlag: String) throws -> Int32 {
        let code = try runAsOwner(childFlag)
        if Self.isPurged(code) { rmdir(root) }
        return code
    }

    /// Perhaps with a slot left, of which it was said.
    package static func isPurged(_ code: Int32) -> Bool { [0, ErrorCode.findings.rawValue].contains(code) }

    /// Makes directories whose parents the owner cannot write to, and restores into them as the owner.
    ///
    /// Those that stay empty are removed again: what is refused changes nothing.
    package func restore(into directories: [String]) throws -> Int32 {
        var made: [String] = []
        // They may be relative to where the caller is.
        func end(_ code: Int32) -> Int32 {
            if code != 0 { for directory in made.reversed() { rmdir(directory) } }
            return code
        }
        do {
            for directory in directories {
                try FileTree.makeDirectory(directory, mode: 0o700)
                made.append(directory)
                try FileTree.changeOwner(directory, uid: owner.uid, gid: owner.gid)
            }
            return end(try runAsOwner(nil, workingDirectory: nil))
        } catch {
            _ = end(1)
            throw error
        }
    }

    /// PostgreSQL runs pgarchive-wal as the owner: it must be able to reach the program.
    package func checkOwnerReach() throws {
        let helper = try ThisProgram.walHelper()
        let request = SpawnRequest(
            executable: helper,
            arguments: ["--version"],
            workingDirectory: "/",
            user: SystemUser.isRoot ? SpawnUser(owner) : nil
        )
        let output = try? ProcessSpawn.run(request, timeoutSeconds: 20)
        guard output?.status.isSuccess == true else {
            throw ArchiveError(
                .failed,
                "user '\(owner.name)' cannot run '\(helper)'",
                hint: "install pgarchive where that user can reach it ('make install' puts it into /usr/local/bin)"
            )
        }
    }

    private func runAsOwner(_ childFlag: String?, workingDirectory: String? = "/") throws -> Int32 {
        let signals = try SignalWatch([SIGINT, SIGTERM, SIGHUP])
        var environment = environment
        environment["HOME"] = owner.home
        environment["USER"] = owner.name
        environment["LOGNAME"] = owner.name
        let child = try ProcessSpawn.spawn(
            SpawnRequest(
                executable: try ThisProgram.path(),
                arguments: arguments + [childFlag].compactMap(\.self),
                environment: environment,
                workingDirectory: workingDirectory,
                standardInput: .inherit,
                standardOutput: .inherit,
                standardError: .inherit,
                user: SpawnUser(owner),
                // This process may be killed, too: the other one then cleans up after itself.
                parentDeathSignal: SIGTERM,
                umask: 0o077
            )
        )
        while true {
            let ready = try Poll.wait([PollItem(child.pidDescriptor), PollItem(signals.descriptor)])
            if !ready[0].isEmpty { break }
            // The child undoes what it did; the pool waits for that.
            if let signal = try signals.read() { child.signal(signal) }
        }
        switch child.wait() {
        case .exited(let code): return code
        case .signalled: return ErrorCode.interrupted.rawValue
        }
    }
}
