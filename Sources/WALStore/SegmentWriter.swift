internal import Glibc
package import Platform
package import WALFormat

/// One segment while it arrives: `NAME.partial`, which becomes `NAME` when all of it is durable.
///
/// Bytes come at rising offsets from one thread; another may sync and finish meanwhile.
package final class SegmentWriter: Sendable {
    package let name: SegmentName
    package let directory: String
    package let size: SegmentSize
    private let file: Descriptor

    package var partialPath: String { FilePath.join(directory, "\(name).partial") }
    package var finalPath: String { FilePath.join(directory, "\(name)") }

    /// Opens the partial segment, makes it where there is none, and drops what it holds from `offset` on.
    ///
    /// A new name is durable only after a sync of the directory.
    /// - Throws: ENODATA when the file ends before `offset`, which then cannot be gone on from.
    package init(
        directory: String,
        name: SegmentName,
        size: SegmentSize,
        offset: UInt64
    ) throws(SystemError) {
        self.directory = directory
        self.name = name
        self.size = size
        let path = FilePath.join(directory, "\(name).partial")
        file = try Descriptor.open(path, O_RDWR | O_CREAT | O_NOFOLLOW, mode: 0o600)
        let found = try file.size()
        guard found >= Int64(offset) else {
            throw SystemError(call: "go on at byte \(offset) of", errno: ENODATA, path: path)
        }
        if found > Int64(offset) { try file.truncate(to: Int64(offset)) }
    }

    private init(directory: String, name: SegmentName, size: SegmentSize, file: consuming Descriptor) {
        self.directory = directory
        self.name = name
        self.size = size
        self.file = file
    }

    /// A partial segment as it is, to be finished.
    static func whole(directory: String, name: SegmentName, size: SegmentSize) throws(SystemError) -> SegmentWriter {
        let file = try Descriptor.open(FilePath.join(directory, "\(name).partial"), O_RDONLY | O_NOFOLLOW)
        return SegmentWriter(directory: directory, name: name, size: size, file: file)
    }

    /// The address after the segment's last byte.
    package var end: LSN { (name.start(size: size) ?? .invalid).advanced(by: size.bytes) }

    /// What the file holds from `offset` on, up to `count` bytes.
    package func bytes(at offset: UInt64, count: Int) throws(SystemError) -> [UInt8] {
        try file.bytes(at: Int64(offset), count: count)
    }

    package func write(_ bytes: UnsafeRawBufferPointer, at offset: UInt64) throws(SystemError) {
        try FaultPoint.pass("segment.write")
        try file.writeAll(bytes, at: Int64(offset))
    }

    /// Lets the kernel begin to write these bytes out, so that the sync that follows has less to do.
    package func startWriteback(at offset: UInt64, count: UInt64) throws(SystemError) {
        do throws(SystemError) {
            try file.startWriteback(at: Int64(offset), count: Int64(count))
        } catch {
            // A filesystem without it is no trouble; a failed write is one.
            guard error.errno == ENOSYS || error.errno == EINVAL || error.errno == ESPIPE || error.errno == EOPNOTSUPP
            else { throw error }
        }
    }

    /// Makes durable what was written before the call.
    ///
    /// After a failure nothing of the file may be relied on: see `setAside`.
    package func syncData() throws(SystemError) {
        try FaultPoint.pass("segment.sync")
        try file.syncData()
    }

    /// Gives the whole, synced segment its name, durably.
    /// - Throws: `StoreError.conflict` when another content has that name; both are kept then.
    package func finish() throws {
        try FaultPoint.pass("segment.beforeRename")
        do throws(SystemError) {
            try DurableFile.renameNew(partialPath, finalPath)
        } catch {
            guard error.errno == EEXIST else { throw error }
            try keepOne()
        }
        try FaultPoint.pass("segment.afterRename")
    }

    /// The name is taken: the same content is as good as ours, any other is refused.
    private func keepOne() throws {
        let existing = try Descriptor.open(finalPath, O_RDONLY)
        var offset: Int64 = 0
        let step = 1 << 20
        var same = try existing.size() == Int64(size.bytes)
        while same, offset < Int64(size.bytes) {
            same = try existing.bytes(at: offset, count: step) == file.bytes(at: offset, count: step)
            offset += Int64(step)
        }
        guard same else {
            let evidence = try Self.setAside(directory: directory, name: name)
            throw StoreError.conflict(path: finalPath, evidence: evidence)
        }
        try existing.sync()
        try DurableFile.remove(partialPath)
    }

    /// Renames the partial segment, which is never again taken for a position: `NAME.partial.suspect-N`.
    ///
    /// After a failed write or sync the page cache may show bytes that the disk has lost.
    /// - Returns: the new path.
    @discardableResult
    package static func setAside(directory: String, name: SegmentName) throws(SystemError) -> String {
        let path = FilePath.join(directory, "\(name).partial")
        var number = 1
        while true {
            let target = "\(path).suspect-\(number)"
            do throws(SystemError) {
                try DurableFile.renameNew(path, target)
                return target
            } catch {
                guard error.errno == EEXIST, number < 10_000 else { throw error }
                number += 1
            }
        }
    }
}
