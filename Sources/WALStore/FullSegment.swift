internal import Glibc
internal import Platform
package import WALFormat

/// A whole, synced segment that still has its partial name.
///
/// It holds no file open: a long record lets many wait at a time.
package struct FullSegment: Sendable {
    package let name: SegmentName
    let directory: String
    let size: SegmentSize
    /// Of the partial file.
    let inode: UInt64

    /// The address after the segment's last byte.
    package var end: LSN { (name.start(size: size) ?? .invalid).advanced(by: size.bytes) }

    var partialPath: String { FilePath.join(directory, "\(name).partial") }
    private var finalPath: String { FilePath.join(directory, "\(name)") }

    /// Gives the segment its name, durably; may be called again when that failed for want of room.
    ///
    /// - Throws: `StoreError.conflict` when another content has that name; both are kept then.
    package func finish() throws {
        try FaultPoint.pass("segment.beforeRename")
        let compressed = StoredSegment.Form.complete.filter(\.isCompressed)
        if compressed.contains(where: { FileTree.exists("\(finalPath)\($0.suffix)") }) {
            try keepOne()
        } else {
            do throws(SystemError) {
                try DurableFile.renameNew(partialPath, finalPath)
            } catch {
                if error.isTaken {
                    try keepOne()
                } else if error.isNotFound, isRenamed {
                    // The rename was done before, the sync of the directory had no room.
                    try DurableFile.syncDirectory(directory)
                } else {
                    throw error
                }
            }
        }
        try FaultPoint.pass("segment.afterRename")
    }

    private var isRenamed: Bool { (try? FileTree.status(finalPath))?.inode == inode }

    /// The name is taken: the same content is as good as ours, any other is refused.
    private func keepOne() throws {
        let archive = WALDirectory(directory, segmentSize: size)
        do {
            guard let existing = try archive.open(name, completeOnly: true) else {
                return try DurableFile.renameNew(partialPath, finalPath)
            }
            guard try hasOurContent(existing) || isSameUpToSwitch() else {
                let evidence = try SuspectFile.keep(partialPath, as: partialPath)
                throw StoreError.conflict(path: existing.path, evidence: evidence)
            }
            try DurableFile.syncFile(existing.path)
            try DurableFile.remove(partialPath)
        } catch StoreError.badCompression {
            // What is there is no segment; ours goes beside it, and comes first.
            try DurableFile.renameNew(partialPath, finalPath)
        }
    }

    private func hasOurContent(_ existing: SegmentReader) throws -> Bool {
        let ours = try Descriptor.open(partialPath, O_RDONLY | O_NOFOLLOW)
        var buffer = [UInt8](repeating: 0, count: 1 << 20)
        var offset: UInt64 = 0
        while true {
            let count = try buffer.withUnsafeMutableBytes { try existing.read(into: $0) }
            if count == 0 { return offset == size.bytes }
            guard try ours.bytes(at: Int64(offset), count: count).elementsEqual(buffer.prefix(count)) else {
                return false
            }
            offset += UInt64(count)
        }
    }
}

extension FullSegment {
    /// A partial segment that has all its bytes; nil for another.
    init?(_ name: SegmentName, in archive: WALDirectory) throws(SystemError) {
        let status: FileStatus
        do throws(SystemError) {
            status = try FileTree.status(FilePath.join(archive.path, "\(name).partial"))
        } catch {
            guard error.isNotFound else { throw error }
            return nil
        }
        guard status.kind == .regular, status.bytes == Int64(archive.segmentSize.bytes) else { return nil }
        self.init(name: name, directory: archive.path, size: archive.segmentSize, inode: status.inode)
    }
}

extension WALDirectory {
    /// Removes the partial file of a segment that is here completely, where it holds nothing but a beginning of that.
    ///
    /// Killed between the two names, or what another delivery overtook. Zeros behind are nothing either: pg_receivewal
    /// leaves them where it goes on with compression.
    func removeDouble(_ name: SegmentName) throws {
        let path = FilePath.join(self.path, "\(name).partial")
        guard let existing = try open(name, completeOnly: true), try holdsBeginning(path, of: existing) else { return }
        try DurableFile.syncFile(existing.path)
        try DurableFile.remove(path)
    }

    private func holdsBeginning(_ path: String, of existing: SegmentReader) throws -> Bool {
        let ours = try Descriptor.open(path, O_RDONLY | O_NOFOLLOW)
        var buffer = [UInt8](repeating: 0, count: 1 << 20)
        var offset: UInt64 = 0
        var hasEnded = false
        while true {
            let count = try buffer.withUnsafeMutableBytes { try existing.read(into: $0) }
            if count == 0 { return try offset == segmentSize.bytes && ours.size() <= Int64(offset) }
            let bytes = try ours.bytes(at: Int64(offset), count: count)
            offset += UInt64(count)
            if !hasEnded, bytes.elementsEqual(buffer.prefix(bytes.count)) { continue }
            let same = hasEnded ? 0 : zip(bytes, buffer).enumerated().first { $1.0 != $1.1 }?.offset ?? bytes.count
            guard bytes.dropFirst(same).allSatisfy({ $0 == 0 }) else { return false }
            hasEnded = true
        }
    }
}
