import CPlatform
import Glibc

/// Files that are either the old ones or the new ones, whole, whatever is killed or loses power in between.
///
/// The one way in which pgarchive changes a file that matters: temporary file, fsync, rename, fsync of the directory.
package enum DurableFile {
    /// Puts `bytes` under `path`, over what is there.
    package static func replace(_ path: String, bytes: [UInt8], mode: UInt32 = 0o600) throws(SystemError) {
        let temporary = temporaryName(for: path)
        do throws(SystemError) {
            try write(temporary, bytes: bytes, mode: mode)
            try FaultPoint.pass("durable.beforeRename")
            try rename(temporary, path)
        } catch {
            unlink(temporary)
            throw error
        }
    }

    package static func replace(_ path: String, text: String, mode: UInt32 = 0o600) throws(SystemError) {
        try replace(path, bytes: Array(text.utf8), mode: mode)
    }

    /// Puts `bytes` under a `path` that must be free; EEXIST otherwise, and what is there stays.
    package static func createNew(_ path: String, bytes: [UInt8], mode: UInt32 = 0o600) throws(SystemError) {
        let temporary = temporaryName(for: path)
        do throws(SystemError) {
            try write(temporary, bytes: bytes, mode: mode)
            try FaultPoint.pass("durable.beforeCreate")
            try renameNew(temporary, path)
        } catch {
            unlink(temporary)
            throw error
        }
    }

    package static func createNew(_ path: String, text: String, mode: UInt32 = 0o600) throws(SystemError) {
        try createNew(path, bytes: Array(text.utf8), mode: mode)
    }

    /// Renames over whatever is at `to`, then makes the new name (and the end of the old one) durable.
    ///
    /// The content must have been synced before.
    package static func rename(_ from: String, _ to: String) throws(SystemError) {
        try checkedCall(Glibc.rename(from, to), "rename \(from) to", to)
        try FaultPoint.pass("durable.renamed")
        try syncParents(from, to)
    }

    /// The same without overwriting: EEXIST when `to` is taken.
    package static func renameNew(_ from: String, _ to: String) throws(SystemError) {
        do throws(SystemError) {
            try FaultPoint.pass("durable.noReplace")
            try checked(pgarchive_rename_noreplace(from, to), "rename \(from) to", to)
        } catch {
            guard error.errno == EINVAL else { throw error }
            // Filesystems without RENAME_NOREPLACE still have link, which never overwrites either.
            try checkedCall(link(from, to), "rename \(from) to", to)
            try FaultPoint.pass("durable.linked")
            unlink(from)
        }
        try FaultPoint.pass("durable.renamed")
        try syncParents(from, to)
    }

    /// Gives a file a second name, durably: EEXIST when `to` is taken.
    package static func linkNew(_ from: String, _ to: String) throws(SystemError) {
        try checkedCall(link(from, to), "link \(from) as", to)
        try FaultPoint.pass("durable.secondName")
        try syncDirectory(FilePath.parent(of: to))
    }

    /// Swaps two names in one step, not durably.
    package static func exchange(_ one: String, _ other: String) throws(SystemError) {
        try checked(pgarchive_rename_exchange(one, other), "exchange \(one) and", other)
    }

    /// Removes a file, durably; a file that is not there is fine.
    package static func remove(_ path: String) throws(SystemError) {
        if unlink(path) != 0 {
            guard errno != ENOENT else { return }
            throw SystemError(call: "remove", errno: errno, path: path)
        }
        try FaultPoint.pass("durable.removed")
        try syncDirectory(FilePath.parent(of: path))
    }

    /// Makes the names in a directory durable.
    ///
    /// Some network filesystems (SMB) have nothing of the kind and say EINVAL: there a name is the server's at once.
    package static func syncDirectory(_ path: String) throws(SystemError) {
        let directory = try Descriptor.open(path, O_RDONLY | O_DIRECTORY)
        do throws(SystemError) {
            try directory.sync()
        } catch {
            guard error.isUnsupported else { throw error }
        }
    }

    /// Syncs a file that someone else wrote.
    package static func syncFile(_ path: String) throws(SystemError) {
        let file = try Descriptor.open(path, O_RDONLY)
        try file.sync()
    }

    /// Copies a file to a path that must be free, by reference where the filesystem can.
    package static func copy(_ path: String, to target: String) throws(SystemError) {
        let file = try Descriptor.open(path, O_RDONLY | O_NOFOLLOW)
        guard !FileTree.exists(target) else { throw SystemError(call: "create", errno: EEXIST, path: target) }
        let temporary = temporaryName(for: target)
        do throws(SystemError) {
            let copy = try Descriptor.open(temporary, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW)
            if pgarchive_clone_file(file.raw, copy.raw) < 0 {
                try checked(pgarchive_copy_sparse(file.raw, copy.raw, try file.size()), "copy", path)
            }
            try copy.sync()
            try renameNew(temporary, target)
        } catch {
            unlink(temporary)
            throw error
        }
    }

    private static func write(_ path: String, bytes: [UInt8], mode: UInt32) throws(SystemError) {
        let file = try Descriptor.open(path, O_WRONLY | O_CREAT | O_TRUNC | O_NOFOLLOW, mode: mode)
        try file.writeAll(bytes)
        // The umask must not decide who can read it.
        try checkedCall(fchmod(file.raw, mode), "set the mode of", path)
        try file.sync()
        try file.close()
    }

    private static func syncParents(_ from: String, _ to: String) throws(SystemError) {
        let target = FilePath.parent(of: to)
        try syncDirectory(target)
        let source = FilePath.parent(of: from)
        if source != target { try syncDirectory(source) }
    }
}

/// Temporary files: `.NAME.tmp-PID-N`, so that what a killed process left behind is recognised.
extension DurableFile {
    package static func temporaryName(for path: String) -> String {
        let number = TemporaryCounter.next()
        return FilePath.join(FilePath.parent(of: path), ".\(FilePath.name(of: path)).tmp-\(getpid())-\(number)")
    }

    /// The process that made a temporary file, from its name; nil for other names.
    package static func temporaryOwner(name: String) -> Int32? {
        guard name.hasPrefix("."), let mark = name.lastRange(of: ".tmp-") else { return nil }
        let parts = name[mark.upperBound...].split(separator: "-", omittingEmptySubsequences: false)
        guard parts.count == 2, UInt64(parts[1]) != nil, let pid = Int32(parts[0]), pid > 0 else { return nil }
        return pid
    }

    /// Paths of temporary files in `directory` whose makers are gone.
    package static func leftovers(in directory: String) throws(SystemError) -> [String] {
        try FileTree.list(directory).compactMap { name in
            guard let pid = temporaryOwner(name: name), pid != getpid() else { return nil }
            guard !(ProcessIdentity.of(pid)?.isAlive ?? false) else { return nil }
            return FilePath.join(directory, name)
        }
    }

    /// Removes them.
    package static func removeLeftovers(in directory: String) throws(SystemError) {
        for path in try leftovers(in: directory) { try remove(path) }
    }
}
