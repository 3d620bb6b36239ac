import Glibc
import Platform

/// The file that PostgreSQL asked for, in the making: invisible until it is whole and checked.
///
/// Where the filesystem can, it has no name until then, so that a killed fetch leaves nothing behind. It is not synced:
/// PostgreSQL asks again for restored segments after a crash.
final class FetchTarget {
    private let path: String
    private let file: Descriptor
    /// Nil for a file without a name.
    private var temporary: String?

    /// O_TMPFILE, which Swift's Glibc lacks: `__O_TMPFILE | O_DIRECTORY` (asm-generic/fcntl.h).
    private static let nameless: Int32 = 0o20_000_000 | O_DIRECTORY

    init(_ path: String) throws(SystemError) {
        self.path = path
        // Without /proc a nameless file could not be given its name.
        if FileTree.exists("/proc/self/fd"), (try? FaultPoint.pass("fetch.nameless")) != nil,
            let file = try? Descriptor.open(FilePath.parent(of: path), O_RDWR | Self.nameless)
        {
            self.file = file
            return
        }
        // Nobody else removes what a killed fetch left here.
        try? DurableFile.removeLeftovers(in: FilePath.parent(of: path))
        let temporary = DurableFile.temporaryName(for: path)
        self.file = try Descriptor.open(temporary, O_RDWR | O_CREAT | O_EXCL | O_NOFOLLOW)
        self.temporary = temporary
    }

    deinit {
        if let temporary { unlink(temporary) }
    }

    /// Takes over a whole file by reference; false where the filesystem cannot.
    func clone(from descriptor: Int32) -> Bool {
        // FICLONE of linux/fs.h: _IOW(0x94, 9, int).
        ioctl(file.raw, 0x4004_9409, descriptor) == 0
    }

    func read(into buffer: UnsafeMutableRawBufferPointer, at offset: UInt64) throws(SystemError) -> Int {
        try file.readFull(into: buffer, at: Int64(clamping: offset))
    }

    /// Has the kernel fetch the file's bytes meanwhile.
    func willBeRead() {
        posix_fadvise(file.raw, 0, 0, POSIX_FADV_WILLNEED)
    }

    func write(_ bytes: UnsafeRawBufferPointer, at offset: UInt64) throws(SystemError) {
        try file.writeAll(bytes, at: Int64(clamping: offset))
    }

    func write(_ bytes: [UInt8]) throws(SystemError) {
        try file.writeAll(bytes, at: 0)
    }

    /// Zeros from `kept` bytes on, up to `size` bytes.
    func fillWithZeros(after kept: UInt64, size: UInt64) throws(SystemError) {
        try file.truncate(to: Int64(clamping: kept))
        try file.truncate(to: Int64(clamping: size))
    }

    /// Gives the file its name; whatever had it before is replaced.
    func publish() throws(SystemError) {
        try FaultPoint.pass("fetch.beforeName")
        if let temporary {
            guard rename(temporary, path) == 0 else { throw failure() }
            self.temporary = nil
            return
        }
        for _ in 0..<4 {
            if linkat(AT_FDCWD, "/proc/self/fd/\(file.raw)", AT_FDCWD, path, AT_SYMLINK_FOLLOW) == 0 { return }
            // PostgreSQL removes an old one before it asks; a fetch left over from before may have come in between.
            guard errno == EEXIST else { break }
            guard unlink(path) == 0 || errno == ENOENT else { break }
        }
        throw failure()
    }

    private func failure() -> SystemError {
        SystemError(call: "create", errno: errno, path: path)
    }
}
