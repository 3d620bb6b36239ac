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
        try HomeDirectory.prepare(FilePath.parent(of: root), owner: owner)
        try FileTree.makeDirectory(FilePath.parent(of: paths.image), mode: 0o755)
        guard !FileTree.exists(paths.image) else {
            throw ArchiveError(
                .conflict,
                "there is a pool for '\(name)' already: \(paths.image)",
                hint: "'pgarchive container purge --container \(name)' removes it"
            )
        }
        do {
            _ = try LoopPool.create(image: paths.image, bytes: bytes, mountPoint: root, owner: owner)
            try JSONFile.replace(paths.record, with: Record(name: name, mountPoint: root, bytes: bytes))
        } catch {
            try? remove()
            throw error
        }
    }

    package func mount() throws {
        try pool.mount()
    }

    /// Unmounts, and removes the image and its record.
    package func remove() throws {
        if try FileTree.exists(paths.image) || MountTable.isMountPoint(root) { try pool.remove() }
        try DurableFile.remove(paths.record)
        try? FileTree.removeTree(root)
        // Only when it was the last pool.
        rmdir(FilePath.parent(of: paths.image))
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
