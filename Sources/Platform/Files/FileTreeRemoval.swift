import Glibc

/// Whole trees: removing, emptying, measuring.
///
/// Works by descriptor (openat, O_NOFOLLOW), so that a link swapped in meanwhile leads nowhere; stays on one device,
/// so that a mount inside is never emptied; what vanishes meanwhile is fine; may be repeated after a kill.
extension FileTree {
    /// Removes `path` and everything below; nothing there is fine.
    /// - Throws: EXDEV at a mount point or subvolume inside the tree.
    package static func removeTree(_ path: String) throws(SystemError) {
        switch try kind(path) {
        case nil: return
        case .directory:
            try emptyDirectory(path)
            if rmdir(path) != 0, errno != ENOENT { throw SystemError(call: "remove", errno: errno, path: path) }
        default:
            if unlink(path) != 0, errno != ENOENT { throw SystemError(call: "remove", errno: errno, path: path) }
        }
    }

    /// Removes what is in a directory and keeps the directory.
    package static func emptyDirectory(_ path: String) throws(SystemError) {
        try emptyDirectory(path, atForeignDevice: nil)
    }

    /// The same; `atForeignDevice` may deal with what lies on another device, by path, instead of failing.
    static func emptyDirectory(
        _ path: String,
        atForeignDevice: ((String) throws(SystemError) -> Void)?
    ) throws(SystemError) {
        let directory: Descriptor
        do throws(SystemError) {
            directory = try Descriptor.open(path, O_RDONLY | O_DIRECTORY | O_NOFOLLOW)
        } catch {
            if error.isNotFound { return }
            throw error
        }
        let removal = TreeRemoval(device: try directory.status().st_dev, atForeignDevice: atForeignDevice)
        try removal.empty(directory)
    }

    /// Space that the files of a tree take on disk, in bytes.
    ///
    /// Files that vanish meanwhile do not count.
    package static func byteCount(of path: String) throws(SystemError) -> UInt64 {
        var total: UInt64 = 0
        try TreeWalk.walk(path) { file throws(SystemError) in
            total &+= UInt64(max(0, file.status.allocatedBytes))
        }
        return total
    }
}

private struct TreeRemoval {
    let device: dev_t
    let atForeignDevice: ((String) throws(SystemError) -> Void)?

    func empty(_ directory: borrowing Descriptor) throws(SystemError) {
        for name in try directory.names() {
            if unlinkat(directory.raw, name, 0) == 0 || errno == ENOENT { continue }
            // Linux answers EISDIR for a directory, POSIX EPERM.
            guard errno == EISDIR || errno == EPERM else {
                throw SystemError(call: "remove", errno: errno, path: FilePath.join(directory.path ?? "", name))
            }
            try removeDirectory(name, in: directory)
        }
    }

    private func removeDirectory(_ name: String, in parent: borrowing Descriptor) throws(SystemError) {
        let path = FilePath.join(parent.path ?? "", name)
        do throws(SystemError) {
            let child = try Descriptor.open(name, in: parent, O_RDONLY | O_DIRECTORY | O_NOFOLLOW)
            if try child.status().st_dev == device {
                try empty(child)
            } else if let atForeignDevice {
                try atForeignDevice(path)
            } else {
                throw SystemError(call: "remove what is mounted at", errno: EXDEV, path: path)
            }
        } catch {
            if error.isNotFound { return }
            throw error
        }
        try FaultPoint.pass("remove.beforeDirectory")
        if unlinkat(parent.raw, name, AT_REMOVEDIR) != 0, errno != ENOENT {
            throw SystemError(call: "remove", errno: errno, path: path)
        }
    }
}
