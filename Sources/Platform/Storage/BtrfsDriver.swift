import CBtrfs
import CPlatform
import Glibc

/// Volumes are btrfs subvolumes; copies are snapshots, made in one step whatever their size.
///
/// Everything works for the owner without root; deleting at once needs the mount option `user_subvol_rm_allowed`,
/// without it a volume is emptied file by file.
package struct BtrfsDriver: StorageDriver {
    package let kindName = "btrfs"
    package let isAtomic = true

    package init() {}

    package func createVolume(_ path: String) throws(SystemError) {
        try succeeded(btrfs_util_create_subvolume(path, 0, nil, nil), "create subvolume", path)
        try checkedCall(chmod(path, 0o700), "set the mode of", path)
    }

    package func copyVolume(from: String, to: String, options: CopyOptions) throws(SystemError) {
        try succeeded(btrfs_util_create_snapshot(from, to, 0, nil, nil), "create snapshot", to)
        try FaultPoint.pass("btrfs.afterSnapshot")
        for directory in options.emptyDirectories {
            try FileTree.emptyDirectory(FilePath.join(to, directory))
        }
    }

    package func freeze(_ path: String) throws(SystemError) {
        try succeeded(btrfs_util_set_subvolume_read_only(path, true), "make read-only", path)
    }

    /// Whether a volume is read-only.
    package func isFrozen(_ path: String) throws(SystemError) -> Bool {
        var isFrozen = false
        try succeeded(btrfs_util_get_subvolume_read_only(path, &isFrozen), "examine", path)
        return isFrozen
    }

    package func isVolume(_ path: String) -> Bool {
        btrfs_util_is_subvolume(path) == BTRFS_UTIL_OK
    }

    package func deleteVolume(_ path: String) throws(SystemError) {
        guard try FileTree.kind(path) == .directory, isVolume(path) else {
            // A directory of an interrupted creation, or nothing.
            try empty(path)
            try FileTree.removeTree(path)
            return
        }
        if try isFrozen(path) {
            try succeeded(btrfs_util_set_subvolume_read_only(path, false), "make writable", path)
        }
        try FaultPoint.pass("btrfs.beforeDelete")
        if try deleteAtOnce(path) { return }
        try empty(path)
        if try deleteAtOnce(path) { return }
        // An empty subvolume goes like a directory, which needs no privilege.
        if rmdir(path) != 0, errno != ENOENT { throw SystemError(call: "remove", errno: errno, path: path) }
    }

    /// False when it is not allowed, or when there are subvolumes inside.
    private func deleteAtOnce(_ path: String) throws(SystemError) -> Bool {
        do throws(SystemError) {
            try succeeded(btrfs_util_delete_subvolume(path, 0), "delete subvolume", path)
            return true
        } catch {
            switch error.errno {
            case ENOENT: return true
            case EPERM, EACCES, ENOTEMPTY: return false
            default: throw error
            }
        }
    }

    private func empty(_ path: String) throws(SystemError) {
        guard try FileTree.kind(path) == .directory else { return }
        try FileTree.emptyDirectory(path) { nested throws(SystemError) in
            guard isVolume(nested) else {
                // A snapshot shows a subvolume inside its source as an empty directory, always inode 2.
                if try FileTree.status(nested).inode == 2 { return }
                throw SystemError(call: "remove what is mounted at", errno: EXDEV, path: nested)
            }
            try deleteVolume(nested)
        }
    }

    package func exclusiveBytes(_ path: String) throws(SystemError) -> UInt64? {
        try ExtentSharing.exclusiveBytes(path)
    }

    package func defragment(_ path: String) throws(SystemError) {
        try TreeWalk.walk(path) { entry throws(SystemError) in
            guard entry.status.kind == .regular, entry.status.bytes > 0 else { return }
            do throws(SystemError) {
                let file = try Descriptor.open(entry.path, O_RDWR | O_NOFOLLOW)
                try checked(pgarchive_btrfs_defragment(file.raw), "defragment", entry.path)
            } catch {
                guard error.isNotFound else { throw error }
            }
        }
    }

    /// libbtrfsutil leaves the reason in `errno`.
    private func succeeded(_ result: btrfs_util_error, _ call: String, _ path: String) throws(SystemError) {
        guard result != BTRFS_UTIL_OK else { return }
        let failure = errno
        throw SystemError(call: call, errno: failure == 0 ? EIO : failure, path: path)
    }
}
