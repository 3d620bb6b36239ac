import Glibc

/// Visits the files of a tree, directories before what is in them; vanished ones are passed over.
enum TreeWalk {
    struct Entry {
        /// Relative to the tree's root; empty for the root itself.
        let relativePath: String
        let path: String
        let status: FileStatus
    }

    /// Stays on the root's device; names in a directory come sorted.
    static func walk(_ root: String, visit: (Entry) throws(SystemError) -> Void) throws(SystemError) {
        let status = try FileTree.status(root)
        try walk(Entry(relativePath: "", path: root, status: status), device: status.device, visit)
    }

    private static func walk(
        _ entry: Entry,
        device: UInt64,
        _ visit: (Entry) throws(SystemError) -> Void
    ) throws(SystemError) {
        try visit(entry)
        guard entry.status.kind == .directory, entry.status.device == device else { return }
        for name in try names(entry.path) {
            let path = FilePath.join(entry.path, name)
            guard let status = try statusIfThere(path) else { continue }
            let relative = entry.relativePath.isEmpty ? name : FilePath.join(entry.relativePath, name)
            try walk(Entry(relativePath: relative, path: path, status: status), device: device, visit)
        }
    }

    private static func names(_ path: String) throws(SystemError) -> [String] {
        do throws(SystemError) { return try FileTree.list(path) } catch {
            if error.isNotFound { return [] }
            throw error
        }
    }

    private static func statusIfThere(_ path: String) throws(SystemError) -> FileStatus? {
        do throws(SystemError) { return try FileTree.status(path) } catch {
            if error.isNotFound { return nil }
            throw error
        }
    }
}
