import CPlatform
import Glibc

/// How much of a tree no other file or snapshot shares, from the extent maps of its files (fiemap).
enum ExtentSharing {
    /// In bytes; where the filesystem has no extent maps, the space that the files take.
    static func exclusiveBytes(_ path: String) throws(SystemError) -> UInt64 {
        var total: UInt64 = 0
        try TreeWalk.walk(path) { entry throws(SystemError) in
            guard entry.status.kind == .regular, entry.status.bytes > 0 else { return }
            total &+= try bytes(of: entry)
        }
        return total
    }

    private static func bytes(of entry: TreeWalk.Entry) throws(SystemError) -> UInt64 {
        let file: Descriptor
        do throws(SystemError) {
            file = try Descriptor.open(entry.path, O_RDONLY | O_NOFOLLOW)
        } catch {
            if error.isNotFound { return 0 }
            throw error
        }
        var bytes: UInt64 = 0
        let result = pgarchive_exclusive_bytes(file.raw, &bytes)
        if result == -ENOTTY || result == -EOPNOTSUPP { return UInt64(max(0, entry.status.allocatedBytes)) }
        try checked(result, "map the extents of", entry.path)
        return bytes
    }
}
