import Glibc

/// Volumes are directories; copies are full copies, as large as the original.
///
/// Works everywhere.
package struct CopyDriver: StorageDriver {
    package let kindName = "copy"
    package let isAtomic = false

    package init() {}

    package func createVolume(_ path: String) throws(SystemError) { try PlainVolume.create(path) }

    package func copyVolume(from: String, to: String, options: CopyOptions) throws(SystemError) {
        try TreeCopy(method: .data, options: options).copy(from: from, to: to)
    }

    package func deleteVolume(_ path: String) throws(SystemError) { try FileTree.removeTree(path) }

    /// The tree's space, less what the filesystem shares by itself (xfs answers copy_file_range with a clone).
    package func exclusiveBytes(_ path: String) throws(SystemError) -> UInt64? {
        try ExtentSharing.exclusiveBytes(path)
    }
}

enum PlainVolume {
    static func create(_ path: String) throws(SystemError) {
        try checkedCall(mkdir(path, 0o700), "create directory", path)
    }
}
