import CPlatform
import Glibc

/// A btrfs filesystem in an image file, for hosts whose own filesystem has no snapshots.
///
/// Needs root.
package struct LoopPool: Sendable, Hashable {
    package let imagePath: String
    package let mountPoint: String

    /// Smaller, mkfs.btrfs refuses or leaves no room.
    package static let minimumBytes: UInt64 = 128 << 20

    package init(imagePath: String, mountPoint: String) {
        self.imagePath = imagePath
        self.mountPoint = mountPoint
    }

    /// Makes the image (sparse, mode 0600), a filesystem in it, and mounts it; its top directory gets the owner.
    ///
    /// An image is there under its name only once it holds a filesystem.
    /// - Parameters:
    ///   - imagePath: must be free.
    ///   - bytes: the size that it may grow to.
    ///   - mountPoint: an empty directory, made if missing.
    ///   - owner: whose volumes will be in it.
    /// - Returns: the mounted pool.
    /// - Throws: `SystemError` (EEXIST, ENOENT naming a missing tool, EINVAL for a size too small) or `ToolFailure`.
    package static func create(
        image imagePath: String,
        bytes: UInt64,
        mountPoint: String,
        owner: SystemUser
    ) throws -> LoopPool {
        guard bytes >= minimumBytes, let size = Int64(exactly: bytes) else {
            throw SystemError(call: "create a pool of \(bytes) bytes in", errno: EINVAL, path: imagePath)
        }
        guard !FileTree.exists(imagePath) else {
            throw SystemError(call: "create pool", errno: EEXIST, path: imagePath)
        }
        for tool in ["mkfs.btrfs", "mount"] { _ = try SystemTool.find(tool) }
        let made = !FileTree.exists(mountPoint)
        try FileTree.makeDirectory(mountPoint, mode: 0o755, parents: true)
        guard try FileTree.list(mountPoint).isEmpty else {
            throw SystemError(call: "mount a pool over", errno: ENOTEMPTY, path: mountPoint)
        }
        let pool = LoopPool(imagePath: imagePath, mountPoint: mountPoint)
        do {
            try pool.makeImage(size)
        } catch {
            if made { rmdir(mountPoint) }
            throw error
        }
        do {
            try pool.mount()
            try pool.giveTo(owner)
        } catch {
            try? pool.remove()
            if made { rmdir(mountPoint) }
            throw error
        }
        return pool
    }

    package var isMounted: Bool {
        get throws(SystemError) { try MountTable.isMountPoint(mountPoint) }
    }

    /// Mounts the image; mounted already is fine.
    package func mount() throws {
        guard try !isMounted else { return }
        try FileTree.makeDirectory(mountPoint, mode: 0o755, parents: true)
        let options = "loop,noatime,user_subvol_rm_allowed"
        try SystemTool.run("mount", ["-t", "btrfs", "-o", options, imagePath, mountPoint])
    }

    /// Unmounts it and waits until its loop device is gone; not mounted is fine.
    /// - Throws: EBUSY while something in it is open.
    package func unmount() throws(SystemError) {
        // A process that is just being started holds our descriptors for a moment, those into the pool among them.
        let patience = Deadline(seconds: 1)
        while try isMounted {
            let result = pgarchive_umount(mountPoint)
            if result == -EBUSY, !patience.hasPassed {
                SystemClock.sleep(seconds: 0.02)
            } else {
                try checked(result, "unmount", mountPoint)
            }
        }
        // The kernel detaches the device on its own, a moment after the last user.
        let deadline = Deadline(seconds: 10)
        while try isAttached() {
            guard !deadline.hasPassed else {
                throw SystemError(call: "detach the loop device of", errno: EBUSY, path: imagePath)
            }
            SystemClock.sleep(seconds: 0.01)
        }
    }

    /// Unmounts and deletes it with all that is in it; what is missing already is fine.
    package func remove() throws(SystemError) {
        try unmount()
        try DurableFile.remove(imagePath)
    }

    private func makeImage(_ size: Int64) throws {
        let temporary = DurableFile.temporaryName(for: imagePath)
        do {
            let image = try Descriptor.open(temporary, O_RDWR | O_CREAT | O_EXCL | O_NOFOLLOW)
            try image.truncate(to: size)
            try SystemTool.run("mkfs.btrfs", ["-q", temporary])
            try image.sync()
            try DurableFile.renameNew(temporary, imagePath)
        } catch {
            unlink(temporary)
            throw error
        }
    }

    private func giveTo(_ owner: SystemUser) throws(SystemError) {
        try checkedCall(chown(mountPoint, owner.uid, owner.gid), "set the owner of", mountPoint)
        try checkedCall(chmod(mountPoint, 0o700), "set the mode of", mountPoint)
    }

    /// Whether a loop device still uses the image (/sys/block/loopN/loop/backing_file).
    private func isAttached() throws(SystemError) -> Bool {
        guard FileTree.exists(imagePath) else { return false }
        let real = try FileTree.resolved(imagePath)
        return try FileTree.list("/sys/block").contains { name in
            guard name.hasPrefix("loop") else { return false }
            let file = try? FileTree.readText("/sys/block/\(name)/loop/backing_file", limit: 8192)
            return file?.split(separator: "\n").first.map(String.init) == real
        }
    }
}
