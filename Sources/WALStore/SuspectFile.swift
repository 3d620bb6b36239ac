internal import Platform
internal import WALFormat

/// Files that are kept as evidence and never again read as a position: `NAME.partial.suspect-N`.
enum SuspectFile {
    /// The segment that a file of this name was once; nil for other names.
    static func segment(of file: String) -> SegmentName? {
        let parts = file.split(separator: ".")
        guard parts.count == 3, parts[2].hasPrefix("suspect-") else { return nil }
        return ArchiveFileName("\(parts[0]).\(parts[1])")?.segment
    }

    /// Renames `path` to a free name made of `partial`, or over the one for full disks; the new path.
    static func setAside(_ path: String, as partial: String, replaces: Bool) throws(SystemError) -> String {
        if replaces {
            let target = "\(partial).suspect-full"
            try DurableFile.rename(path, target)
            return target
        }
        return try free(for: partial) { target throws(SystemError) in try DurableFile.renameNew(path, target) }
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
