import CPlatform
import Glibc

/// A file that gets its name only when all of it is durable, and never takes the place of another.
///
/// Where the filesystem can, it has no name until then: killed anywhere, its maker leaves nothing behind. Elsewhere
/// (NFS and the like) it is made in a subdirectory, from which what was left behind is removed by its age.
package final class NewFile {
    private let directory: String
    private let file: Descriptor
    /// Nil for a file without a name.
    private var temporary: String?

    /// O_TMPFILE, which Swift's Glibc lacks: `__O_TMPFILE | O_DIRECTORY` (asm-generic/fcntl.h).
    private static let nameless: Int32 = 0o20_000_000 | O_DIRECTORY
    /// Where files without a name cannot be; it stays.
    package static let workDirectory = ".pgarchive"
    private static let staleSeconds: Int64 = 3600

    package init(in directory: String, mode: UInt32 = 0o600) throws(SystemError) {
        self.directory = directory
        do throws(SystemError) {
            try FaultPoint.pass("newFile.nameless")
            // Without /proc it could not be given its name.
            guard FileTree.exists("/proc/self/fd") else { throw SystemError(call: "open", errno: EOPNOTSUPP) }
            file = try Descriptor.open(directory, O_RDWR | Self.nameless, mode: mode)
            return
        } catch {
            guard error.isUnsupported || error.errno == EISDIR else { throw error }
        }
        let work = FilePath.join(directory, Self.workDirectory)
        try FileTree.makeDirectory(work)
        let digits = String(UInt64.random(in: .min ... .max), radix: 16)
        let temporary = FilePath.join(work, digits)
        file = try Descriptor.open(temporary, O_RDWR | O_CREAT | O_EXCL | O_NOFOLLOW, mode: mode)
        self.temporary = temporary
        // Tells others, where the filesystem has locks, that it is being worked on, however long that takes.
        _ = pgarchive_try_lock(file.raw, false)
        removeStale(in: work)
    }

    deinit {
        if let temporary { unlink(temporary) }
    }

    /// Takes over a whole file by reference; false where the filesystem cannot.
    package func clone(from descriptor: Int32) throws(SystemError) -> Bool {
        let result = pgarchive_clone_file(descriptor, file.raw)
        guard result < 0 else { return true }
        let error = SystemError(call: "clone a file in", errno: -result, path: directory)
        guard !error.isFull, error.errno != EIO else { throw error }
        return false
    }

    package func write(_ bytes: UnsafeRawBufferPointer, at offset: UInt64) throws(SystemError) {
        try checked(
            pgarchive_pwrite_full(file.raw, bytes.baseAddress, bytes.count, Int64(clamping: offset)),
            "write to",
            directory
        )
        // So that the disk works while the rest is read; the sync is what counts.
        _ = pgarchive_start_writeback(file.raw, Int64(clamping: offset), Int64(bytes.count))
    }

    package func write(_ bytes: [UInt8]) throws(SystemError) {
        var failure: SystemError?
        bytes.withUnsafeBytes { space in
            do throws(SystemError) { try write(space, at: 0) } catch { failure = error }
        }
        if let failure { throw failure }
    }

    /// Makes the file durable, gives it its name, and makes that durable.
    ///
    /// - Throws: EEXIST when the name is taken; what has it stays.
    package func publish(as name: String) throws(SystemError) {
        try file.sync()
        try FaultPoint.pass("newFile.beforeName")
        let path = FilePath.join(directory, name)
        if let temporary {
            try Self.rename(temporary, path)
            self.temporary = nil
        } else {
            try checkedCall(
                linkat(AT_FDCWD, "/proc/self/fd/\(file.raw)", AT_FDCWD, path, AT_SYMLINK_FOLLOW),
                "create",
                path
            )
        }
        try FaultPoint.pass("newFile.afterName")
        // Some filesystems forget a new name of a file that they know to be synced already, unless it is synced again.
        try file.sync()
        try DurableFile.syncDirectory(directory)
    }

    /// Renames without overwriting, by whatever the filesystem has for that.
    private static func rename(_ from: String, _ to: String) throws(SystemError) {
        do throws(SystemError) {
            try FaultPoint.pass("newFile.renameNew")
            try checked(pgarchive_rename_noreplace(from, to), "create", to)
            return
        } catch {
            guard error.errno == EINVAL || error.errno == ENOSYS else { throw error }
        }
        do throws(SystemError) {
            try FaultPoint.pass("newFile.link")
            try checkedCall(link(from, to), "create", to)
            unlink(from)
            return
        } catch {
            guard error.isUnsupported || [EPERM, ENOSYS, EMLINK].contains(error.errno) else { throw error }
        }
        // Neither is there: a look and a rename, between which another may come.
        guard !FileTree.exists(to) else { throw SystemError(call: "create", errno: EEXIST, path: to) }
        try checkedCall(Glibc.rename(from, to), "create", to)
    }

    /// Removes what others began here long ago and nobody holds any more.
    ///
    /// Ages are told by this file's own, so by the clock of the filesystem's host.
    private func removeStale(in work: String) {
        guard let temporary, let now = try? FileTree.status(temporary).modified,
            let names = try? FileTree.list(work)
        else { return }
        for name in names {
            let path = FilePath.join(work, name)
            guard path != temporary, let status = try? FileTree.status(path), status.kind == .regular,
                now &- status.modified > Self.staleSeconds &* 1_000_000,
                let file = try? Descriptor.open(path, O_RDWR | O_NOFOLLOW)
            else { continue }
            guard pgarchive_try_lock(file.raw, false) != -EWOULDBLOCK else { continue }
            unlink(path)
        }
    }
}
