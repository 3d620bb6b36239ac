import CPlatform
import Glibc

package enum FileKind: Sendable, Hashable { case regular, directory, symbolicLink, other }

/// Looking at files and directories.
///
/// Symbolic links are not followed unless said so.
package enum FileTree {
    /// The whole content of a small file.
    /// - Throws: EFBIG when the file is larger than `limit` bytes.
    package static func read(_ path: String, limit: Int = 16 << 20) throws(SystemError) -> [UInt8] {
        let file = try Descriptor.open(path, O_RDONLY)
        var content: [UInt8] = []
        while true {
            // Files of /proc have no size: read until nothing comes.
            let chunk = try file.chunk(64 << 10)
            if chunk.isEmpty { return content }
            guard content.count + chunk.count <= limit else {
                throw SystemError(call: "read", errno: EFBIG, path: path)
            }
            content += chunk
        }
    }

    /// The content as text; bytes that are not UTF-8 become U+FFFD.
    package static func readText(_ path: String, limit: Int = 16 << 20) throws(SystemError) -> String {
        String(decoding: try read(path, limit: limit), as: UTF8.self)
    }

    /// The names in a directory, sorted, without "." and "..".
    package static func list(_ directory: String) throws(SystemError) -> [String] {
        let descriptor = try Descriptor.open(directory, O_RDONLY | O_DIRECTORY)
        return try descriptor.names().sorted()
    }

    /// What is at `path`, nil when nothing is.
    ///
    /// A link is a link, wherever it leads.
    package static func kind(_ path: String) throws(SystemError) -> FileKind? {
        var status = stat()
        if lstat(path, &status) != 0 {
            guard errno != ENOENT, errno != ENOTDIR else { return nil }
            throw SystemError(call: "examine", errno: errno, path: path)
        }
        return FileKind(mode: status.st_mode)
    }

    /// Whether an open file is the one at `path`: not when that was moved away or replaced.
    package static func isSame(_ descriptor: Int32, _ path: String) -> Bool {
        var open = stat()
        var there = stat()
        return fstat(descriptor, &open) == 0 && stat(path, &there) == 0 && open.st_ino == there.st_ino
            && open.st_dev == there.st_dev
    }

    /// Whether something is at `path`; false also where it cannot be seen.
    package static func exists(_ path: String) -> Bool {
        var status = stat()
        return lstat(path, &status) == 0
    }

    /// Whether `path` is a directory, or a link to one.
    package static func isDirectory(_ path: String) -> Bool {
        var status = stat()
        return stat(path, &status) == 0 && FileKind(mode: status.st_mode) == .directory
    }

    /// The size of a file in bytes, links followed.
    package static func size(_ path: String) throws(SystemError) -> Int64 {
        var status = stat()
        try checkedCall(stat(path, &status), "examine", path)
        return Int64(status.st_size)
    }

    package static func status(_ path: String) throws(SystemError) -> FileStatus {
        var status = stat()
        try checkedCall(lstat(path, &status), "examine", path)
        return FileStatus(status)
    }

    /// Makes a directory; one that is there already is fine.
    ///
    /// With `parents`, what leads there is made too.
    package static func makeDirectory(
        _ path: String,
        mode: UInt32 = 0o700,
        parents: Bool = false
    ) throws(SystemError) {
        if mkdir(path, mode) == 0 { return }
        let failure = errno
        if failure == EEXIST, isDirectory(path) { return }
        let parent = FilePath.parent(of: path)
        guard failure == ENOENT, parents, parent != path, parent != "." else {
            throw SystemError(call: "create directory", errno: failure, path: path)
        }
        try makeDirectory(parent, mode: mode, parents: true)
        if mkdir(path, mode) != 0, errno != EEXIST {
            throw SystemError(call: "create directory", errno: errno, path: path)
        }
    }

    /// Where a symbolic link points.
    package static func linkTarget(_ path: String) throws(SystemError) -> String {
        var buffer = [UInt8](repeating: 0, count: Int(PATH_MAX))
        let count = buffer.withUnsafeMutableBytes { space in
            space.baseAddress.map { readlink(path, $0.assumingMemoryBound(to: CChar.self), space.count) } ?? -1
        }
        guard count >= 0 else { throw SystemError(call: "read link", errno: errno, path: path) }
        return String(decoding: buffer.prefix(count), as: UTF8.self)
    }

    package static func makeLink(_ path: String, to target: String) throws(SystemError) {
        try checkedCall(symlink(target, path), "create link", path)
    }

    /// The absolute path without links and dots; it must exist.
    package static func resolved(_ path: String) throws(SystemError) -> String {
        guard let real = realpath(path, nil) else {
            throw SystemError(call: "resolve", errno: errno, path: path)
        }
        defer { free(real) }
        return String(cString: real)
    }
}

/// What `lstat` says, in Swift's types.
package struct FileStatus: Sendable, Hashable {
    package let kind: FileKind
    package let bytes: Int64
    /// Space on disk, in bytes.
    package let allocatedBytes: Int64
    /// Permission bits.
    package let mode: UInt32
    package let uid: UInt32
    package let gid: UInt32
    package let device: UInt64
    package let inode: UInt64
    /// Last change of the content, microseconds since 1970.
    package let modified: Int64

    init(_ status: stat) {
        kind = FileKind(mode: status.st_mode)
        bytes = Int64(status.st_size)
        allocatedBytes = Int64(status.st_blocks) &* 512
        mode = status.st_mode & 0o7777
        uid = status.st_uid
        gid = status.st_gid
        device = UInt64(status.st_dev)
        inode = UInt64(status.st_ino)
        modified = Int64(status.st_mtim.tv_sec) &* 1_000_000 &+ Int64(status.st_mtim.tv_nsec) / 1000
    }
}

extension FileKind {
    init(mode: UInt32) {
        switch mode & S_IFMT {
        case S_IFREG: self = .regular
        case S_IFDIR: self = .directory
        case S_IFLNK: self = .symbolicLink
        default: self = .other
        }
    }
}

extension Descriptor {
    func chunk(_ size: Int) throws(SystemError) -> [UInt8] {
        var failure: SystemError?
        let bytes = [UInt8](unsafeUninitializedCapacity: size) { buffer, filled in
            do throws(SystemError) {
                filled = try read(into: UnsafeMutableRawBufferPointer(buffer))
            } catch {
                failure = error
            }
        }
        if let failure { throw failure }
        return bytes
    }

    /// The names in this directory, unsorted.
    func names() throws(SystemError) -> [String] {
        // A stream of its own: reading moves the position of the shared open file.
        let copy = try Descriptor.open(".", in: self, O_RDONLY | O_DIRECTORY)
        let number = copy.release()
        guard let stream = fdopendir(number) else {
            let failure = errno
            Glibc.close(number)
            throw SystemError(call: "list", errno: failure, path: path)
        }
        defer { closedir(stream) }
        var names: [String] = []
        while true {
            errno = 0
            guard let entry = readdir(stream) else {
                if errno != 0 { throw SystemError(call: "list", errno: errno, path: path) }
                return names
            }
            let name = withUnsafePointer(to: &entry.pointee.d_name) {
                $0.withMemoryRebound(to: CChar.self, capacity: Int(NAME_MAX) + 1) { String(cString: $0) }
            }
            if name != ".", name != ".." { names.append(name) }
        }
    }
}
