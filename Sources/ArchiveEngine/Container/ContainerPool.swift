import ArchiveModel
import Glibc
package import Platform

/// A container's loop-mounted btrfs image: made, mounted and removed by root.
package struct ContainerPool: Sendable {
    /// What `pools/NAME.json` keeps, outside of the mount.
    package struct Record: Codable, Sendable {
        package var name: String
        package var mountPoint: String
        package var bytes: UInt64
        /// Whose container it holds; said here for when it cannot be mounted.
        package var owner: String
    }

    let paths: PoolPaths
    let name: String
    let root: String

    package init(locator: ContainerLocator, name: String) {
        self.paths = locator.pool(of: name)
        self.name = name
        self.root = "\(locator.home)/\(name)"
    }

    private var pool: LoopPool { LoopPool(imagePath: paths.image, mountPoint: root) }

    package var exists: Bool { FileTree.exists(paths.record) || FileTree.exists(paths.image) }

    package var record: Record? { (try? JSONFile.read(Record.self, from: paths.record)) ?? nil }

    /// Keeps others from making, mounting or removing it; `free` ends that.
    func hold(for work: String) throws -> HeldLock {
        try FileTree.makeDirectory(FilePath.parent(of: paths.image), mode: 0o755, parents: true)
        return try HeldLock.acquire(lockPath, wait: 0.5, description: work)
    }

    func free(_ lock: HeldLock) {
        try? FileTree.removeFile(lockPath)
        lock.release()
        // Only when it was the last pool.
        rmdir(FilePath.parent(of: paths.image))
    }

    private var lockPath: String { FilePath.join(FilePath.parent(of: paths.image), ".\(name).lock") }

    /// Makes the home, the image and the mount.
    ///
    /// A pool that an interrupted init left unused is taken again.
    package func create(bytes: UInt64, owner: SystemUser) throws {
        guard SystemUser.isRoot else {
            throw ArchiveError(
                .refused,
                "a pool can only be made and mounted by root",
                hint: "run it as root; or leave --pool-size out and use a directory on btrfs or xfs, or the copy driver"
            )
        }
        let pools = FilePath.parent(of: paths.image)
        try DurableFile.removeLeftovers(in: pools)
        let new = Record(name: name, mountPoint: root, bytes: bytes, owner: owner.name)
        if FileTree.exists(paths.image), try isTakenAgain() {
            if record == nil { try JSONFile.replace(paths.record, with: new) }
            return
        }
        do {
            _ = try LoopPool.create(image: paths.image, bytes: bytes, mountPoint: root, owner: owner)
            try FaultPoint.pass("pool.mounted")
            try JSONFile.replace(paths.record, with: new)
        } catch {
            try? remove()
            throw error
        }
    }

    /// Looks into a pool that is there: one with the mark of a killed init is mounted for the next, which goes on from
    /// there; an empty one is removed.
    private func isTakenAgain() throws -> Bool {
        let wasMounted = try pool.isMounted
        do {
            try pool.mount()
        } catch {
            throw ArchiveError(
                .conflict,
                "there is a pool for '\(name)' already, which cannot be mounted: \(error)",
                hint: "'pgarchive container purge --container \(name)' removes it"
            )
        }
        let container = ContainerPaths(root: root)
        if FileTree.exists(container.initMark) { return true }
        if try FileTree.list(root).allSatisfy({ InitPlace.isTrace($0, of: container) }) {
            try remove()
            return false
        }
        if !wasMounted { try pool.unmount() }
        throw ArchiveError(
            .conflict,
            "there is a pool for '\(name)' already: \(paths.image)",
            hint: "'pgarchive container purge --container \(name)' removes it"
        )
    }

    package func mount() throws {
        try pool.mount()
    }

    /// Unmounts, and removes the image and its record.
    package func remove() throws {
        if try FileTree.exists(paths.image) || MountTable.isMountPoint(root) { try pool.remove() }
        try DurableFile.remove(paths.record)
        // Its mount point, which is empty.
        rmdir(root)
    }
}

/// `PGARCHIVE_HOME` itself.
package enum HomeDirectory {
    /// As root: makes it, and gives a new one to the owner.
    package static func prepare(_ path: String, owner: SystemUser) throws {
        guard !FileTree.exists(path) else { return }
        try FileTree.makeDirectory(path, mode: 0o755, parents: true)
        if SystemUser.isRoot { try FileTree.changeOwner(path, uid: owner.uid, gid: owner.gid) }
    }
}
