import CPlatform

package enum FilesystemKind: Sendable, Hashable, CustomStringConvertible {
    case btrfs, xfs, ext4
    /// Another one: its name, or its magic number in hexadecimal.
    case other(String)

    package var description: String {
        switch self {
        case .btrfs: "btrfs"
        case .xfs: "xfs"
        case .ext4: "ext4"
        case .other(let name): name
        }
    }

    /// - Parameter magic: `f_type` of statfs(2).
    init(magic: Int64) {
        self =
            switch magic {
            case 0x9123_683E: .btrfs
            case 0x5846_5342: .xfs
            case 0xEF53: .ext4
            case 0x0102_1994: .other("tmpfs")
            case 0x794C_7630: .other("overlay")
            case 0x6969: .other("nfs")
            case 0x6573_5546: .other("fuse")
            case 0x2FC1_2FC1: .other("zfs")
            default: .other("0x" + String(magic, radix: 16))
            }
    }
}

/// The filesystem that a path is on.
package struct DiskSpace: Sendable, Hashable {
    package let totalBytes: UInt64
    /// What an ordinary user can still fill.
    ///
    /// A guess on btrfs, which may run out of metadata space earlier.
    package let freeBytes: UInt64
    package let filesystem: FilesystemKind
    /// `st_dev`; each btrfs subvolume has its own.
    package let device: UInt64

    package static func at(_ path: String) throws(SystemError) -> DiskSpace {
        var space = pgarchive_space()
        try checked(pgarchive_space_at(path, &space), "examine the filesystem of", path)
        return DiskSpace(
            totalBytes: space.total_bytes,
            freeBytes: space.free_bytes,
            filesystem: FilesystemKind(magic: space.type),
            device: space.device
        )
    }
}
