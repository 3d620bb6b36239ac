internal import Platform
internal import WALFormat

/// Files that are kept as evidence and never again read as a position: `NAME.partial.suspect-…`.
enum SuspectFile {
    /// The segment that a file of this name was once; nil for other names.
    static func segment(of file: String) -> SegmentName? {
        let parts = file.split(separator: ".")
        guard parts.count == 3, parts[2].hasPrefix("suspect-") else { return nil }
        return ArchiveFileName("\(parts[0]).\(parts[1])")?.segment
    }

    /// Renames the partial segment's file `path` after a failed write or sync.
    ///
    /// The first one is kept as `suspect-1`, of all later ones the longest as `suspect-longest`; those of a full disk,
    /// which is no fault of the disk's, have a name of their own. What was acknowledged may be nowhere else, so a
    /// shorter one never takes the place of a longer one: it is removed instead.
    /// - Returns: the path of the one that is kept.
    static func setAside(_ path: String, isFull: Bool) throws(SystemError) -> String {
        if !isFull {
            let first = "\(path).suspect-1"
            do throws(SystemError) {
                try DurableFile.renameNew(path, first)
                return first
            } catch {
                guard error.isTaken else { throw error }
            }
        }
        let target = isFull ? "\(path).suspect-full" : "\(path).suspect-longest"
        let bytes = try FileTree.status(path).bytes
        if FileTree.exists(target), try FileTree.status(target).bytes >= bytes {
            try DurableFile.remove(path)
        } else {
            try DurableFile.rename(path, target)
        }
        return target
    }

    /// Renames `path` to a free name made of the partial segment's; the new path.
    static func keep(_ path: String, as partial: String) throws(SystemError) -> String {
        try free(for: partial) { target throws(SystemError) in try DurableFile.renameNew(path, target) }
    }

    /// Calls `make`, which fails where the name is taken, with one name after the other; the one that was free.
    @discardableResult
    static func free(
        for partial: String,
        _ make: (String) throws(SystemError) -> Void
    ) throws(SystemError) -> String {
        var number = 1
        while true {
            let target = "\(partial).suspect-\(number)"
            do throws(SystemError) {
                try make(target)
                return target
            } catch {
                guard error.isTaken, number < 10_000 else { throw error }
                number += 1
            }
        }
    }
}
