/// Volumes are directories; copies share the files' data until one side is written (xfs, btrfs, bcachefs).
///
/// Not atomic: one file after the other.
package struct ReflinkDriver: StorageDriver {
    package let kindName = "reflink"
    package let isAtomic = false

    package init() {}

    package func createVolume(_ path: String) throws(SystemError) { try PlainVolume.create(path) }

    /// - Throws: EOPNOTSUPP where the filesystem cannot share data between files.
    package func copyVolume(from: String, to: String, options: CopyOptions) throws(SystemError) {
        try TreeCopy(method: .reflink, options: options).copy(from: from, to: to)
    }

    package func deleteVolume(_ path: String) throws(SystemError) { try FileTree.removeTree(path) }

    package func exclusiveBytes(_ path: String) throws(SystemError) -> UInt64? {
        try ExtentSharing.exclusiveBytes(path)
    }
}
