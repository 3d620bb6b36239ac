import Glibc
import Platform

/// The container's directory itself.
package enum ContainerDirectory {
    /// Removes it; one that its owner may not remove, such as a mount point, is emptied and left to root.
    package static func remove(_ root: String) throws {
        guard FileTree.exists(root) else { return }
        if try MountTable.isMountPoint(root) || access(FilePath.parent(of: root), W_OK) != 0 {
            try FileTree.emptyDirectory(root)
        } else {
            try FileTree.removeTree(root)
        }
    }
}
