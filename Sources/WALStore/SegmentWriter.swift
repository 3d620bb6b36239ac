internal import Glibc
package import Platform
package import WALFormat

/// One segment while it arrives: `NAME.partial`, which becomes `NAME` when all of it is durable.
///
/// Bytes come at rising offsets.
package final class SegmentWriter {
    /// What a file held from a place on when it was opened.
    private struct Rest {
        let offset: Int64
        /// It is still to be copied before it is dropped.
        var isKept: Bool
    }

    package let name: SegmentName
    package let directory: String
    package let size: SegmentSize
    private let file: Descriptor
    private var rest: Rest?
    private let isPadded: Bool
    /// Whether the file is written past the page cache now; nil where that cannot be.
    private var isDirect: Bool? = false

    package var partialPath: String { FilePath.join(directory, "\(name).partial") }

    /// Opens the partial segment, makes it where there is none, to go on at `offset`.
    ///
    /// What it holds from there on is dropped by the first write: until upstream sends it again there may be no other
    /// copy of it. With `keepsRest` the file is copied before, unless only zeros are dropped.
    /// A new name is durable only after a sync of the directory. A padded file has the segment's length from its
    /// beginning on, as a hole: pg_receivewal goes on with no other, and Barman empties any other.
    /// - Throws: ENODATA when the file ends before `offset`, which then cannot be gone on from.
    package init(
        directory: String,
        name: SegmentName,
        size: SegmentSize,
        offset: UInt64,
        keepsRest: Bool = false,
        isPadded: Bool = false,
        mode: UInt32 = 0o600
    ) throws(SystemError) {
        self.isPadded = isPadded
        self.directory = directory
        self.name = name
        self.size = size
        let path = FilePath.join(directory, "\(name).partial")
        file = try Descriptor.open(path, O_RDWR | O_CREAT | O_NOFOLLOW, mode: mode)
        let found = try file.size()
        guard found >= Int64(offset) else {
            throw SystemError(call: "go on at byte \(offset) of", errno: ENODATA, path: path)
        }
        rest = found > Int64(offset) ? Rest(offset: Int64(offset), isKept: keepsRest) : nil
        if isPadded, found < Int64(clamping: size.bytes) { try file.truncate(to: Int64(clamping: size.bytes)) }
    }

    /// The address after the segment's last byte.
    package var end: LSN { (name.start(size: size) ?? .invalid).advanced(by: size.bytes) }

    /// Writes a block that lies within the segment; may be tried again when that failed.
    ///
    /// A whole block goes past the page cache, where the filesystem can do that: WAL that is caught up with is much,
    /// and copying it there costs more than all else.
    package func write(_ block: WALBlock) throws(SystemError) {
        try FaultPoint.pass("segment.write")
        try dropRest()
        let offset = Int64(size.offset(of: block.start))
        if try setDirect(block.isWhole) {
            do throws(SystemError) {
                try FaultPoint.pass("segment.writeDirect")
                return try file.writeAll(block.bytes, at: offset)
            } catch {
                // It wants another alignment than ours.
                guard error.isUnsupported else { throw error }
                isDirect = nil
                try file.setDirect(false)
            }
        }
        try file.writeAll(block.bytes, at: offset)
    }

    /// Turns it on or off, true when it is on now.
    private func setDirect(_ wanted: Bool) throws(SystemError) -> Bool {
        guard let current = isDirect else { return false }
        guard wanted != current else { return current }
        do throws(SystemError) {
            if wanted { try FaultPoint.pass("segment.setDirect") }
            try file.setDirect(wanted)
        } catch {
            guard wanted, error.isUnsupported else { throw error }
            isDirect = nil
            return false
        }
        isDirect = wanted
        return wanted
    }

    private func dropRest() throws(SystemError) {
        guard let rest else { return }
        if isPadded, try !holdsAnything(from: rest.offset) {
            self.rest = nil
            return
        }
        if rest.isKept, try holdsAnything(from: rest.offset) {
            try SuspectFile.free(for: partialPath) { path throws(SystemError) in
                try DurableFile.copy(partialPath, to: path)
            }
            // Once, however often the truncation finds no room.
            self.rest?.isKept = false
        }
        try file.truncate(to: rest.offset)
        if isPadded { try file.truncate(to: Int64(clamping: size.bytes)) }
        self.rest = nil
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

    /// Renames the partial segment, which is never again taken for a position: `NAME.partial.suspect-…`.
    ///
    /// After a failed write or sync the page cache may show bytes that the disk has lost; a disk that is full
    /// (`isFull`) or dying does that again and again: see `SuspectFile.setAside`.
    /// - Returns: the new path.
    @discardableResult
    package static func setAside(
        directory: String,
        name: SegmentName,
        isFull: Bool
    ) throws(SystemError) -> String {
        try FaultPoint.pass("segment.setAside")
        return try SuspectFile.setAside(FilePath.join(directory, "\(name).partial"), isFull: isFull)
    }
}
