internal import Glibc
package import Platform
internal import Synchronization
package import WALFormat

/// One segment while it arrives: `NAME.partial`, which becomes `NAME` when all of it is durable.
///
/// Bytes come at rising offsets from one thread; another may sync and finish meanwhile.
package final class SegmentWriter: Sendable {
    /// What a file held from a place on when it was opened.
    private struct Rest {
        let offset: Int64
        let isKept: Bool
    }

    package let name: SegmentName
    package let directory: String
    package let size: SegmentSize
    private let file: Descriptor
    private let rest: Mutex<Rest?>

    package var partialPath: String { FilePath.join(directory, "\(name).partial") }

    /// Opens the partial segment, makes it where there is none, to go on at `offset`.
    ///
    /// What it holds from there on is dropped by the first write: until upstream sends it again there may be no other
    /// copy of it. With `keepsRest` the file is copied before, unless only zeros are dropped.
    /// A new name is durable only after a sync of the directory.
    /// - Throws: ENODATA when the file ends before `offset`, which then cannot be gone on from.
    package init(
        directory: String,
        name: SegmentName,
        size: SegmentSize,
        offset: UInt64,
        keepsRest: Bool = false
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
        rest = Mutex(found > Int64(offset) ? Rest(offset: Int64(offset), isKept: keepsRest) : nil)
    }

    /// The address after the segment's last byte.
    package var end: LSN { (name.start(size: size) ?? .invalid).advanced(by: size.bytes) }

    /// What the file holds from `offset` on, up to `count` bytes.
    package func bytes(at offset: UInt64, count: Int) throws(SystemError) -> [UInt8] {
        try file.bytes(at: Int64(offset), count: count)
    }

    package func write(_ bytes: UnsafeRawBufferPointer, at offset: UInt64) throws(SystemError) {
        try FaultPoint.pass("segment.write")
        try dropRest()
        try file.writeAll(bytes, at: Int64(offset))
    }

    private func dropRest() throws(SystemError) {
        guard let rest = rest.withLock({ $0 }) else { return }
        if rest.isKept, try holdsAnything(from: rest.offset) {
            try SuspectFile.free(for: partialPath) { path throws(SystemError) in
                try DurableFile.copy(partialPath, to: path)
            }
        }
        try file.truncate(to: rest.offset)
        self.rest.withLock { $0 = nil }
    }

    private func holdsAnything(from offset: Int64) throws(SystemError) -> Bool {
        var offset = offset
        while true {
            let bytes = try file.bytes(at: offset, count: 1 << 20)
            if bytes.isEmpty { return false }
            if bytes.contains(where: { $0 != 0 }) { return true }
            offset += Int64(bytes.count)
        }
    }

    /// Lets the kernel begin to write these bytes out, so that the sync that follows has less to do.
    ///
    /// Waits where the device has no room in its queue.
    package func startWriteback(at offset: UInt64, count: UInt64) throws(SystemError) {
        try FaultPoint.pass("segment.writeback")
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

    /// The segment when all of it is written and synced; the file need not stay open for its name.
    package func full() throws(SystemError) -> FullSegment {
        FullSegment(name: name, directory: directory, size: size, inode: UInt64(try file.status().st_ino))
    }

    /// Gives the whole, synced segment its name, durably: `FullSegment.finish`.
    package func finish() throws {
        try full().finish()
    }

    /// Renames the partial segment, which is never again taken for a position: `NAME.partial.suspect-N`.
    ///
    /// After a failed write or sync the page cache may show bytes that the disk has lost. With `replaces` there is
    /// one such file only (`suspect-full`): a full disk makes the same one again and again.
    /// - Returns: the new path.
    @discardableResult
    package static func setAside(
        directory: String,
        name: SegmentName,
        replaces: Bool = false
    ) throws(SystemError) -> String {
        let path = FilePath.join(directory, "\(name).partial")
        return try SuspectFile.setAside(path, as: path, replaces: replaces)
    }
}
