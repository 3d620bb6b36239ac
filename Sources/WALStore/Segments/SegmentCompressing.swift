import Glibc
import Platform
package import WALFormat

/// Compressing complete segments in place.
extension WALDirectory {
    /// Replaces a plain segment by a compressed one, which is read back and compared first.
    ///
    /// Killed anywhere, it leaves the plain file, the compressed one, or both, each whole. A segment that is already
    /// compressed, in whatever form, is fine, also when somebody else compresses it at the same time.
    /// - Returns: the sizes of the file before and after, in bytes.
    /// - Throws: `StoreError.notFound` when there is no complete one; `.wrongSize` for one that is not whole.
    @discardableResult
    package func compress(
        _ name: SegmentName,
        as compression: SegmentCodec = .standard
    ) throws -> (before: UInt64, after: UInt64) {
        guard let reader = try open(name, completeOnly: true) else { throw StoreError.notFound(name) }
        let before = try reader.fileBytes()
        guard reader.stored.form == .plain else { return (before, before) }
        guard before == segmentSize.bytes else {
            throw StoreError.wrongSize(path: reader.path, bytes: before, expected: segmentSize.bytes)
        }
        let final = path(of: StoredSegment(name: name, form: compression.form, bytes: 0))
        let temporary = DurableFile.temporaryName(for: final)
        do {
            let after = try writeCompressed(reader, as: compression, to: temporary)
            try FaultPoint.pass("compress.beforeRename")
            try DurableFile.rename(temporary, final)
            try FaultPoint.pass("compress.beforeRemove")
            try DurableFile.remove(reader.path)
            return (before, after)
        } catch let error as SystemError where error.isNotFound {
            unlink(temporary)
            // Somebody else was faster: the plain file is gone, since the compressed one is there.
            guard !FileTree.exists(reader.path), FileTree.exists(final) else { throw error }
            return (before, UInt64(max(0, try FileTree.size(final))))
        } catch {
            unlink(temporary)
            throw error
        }
    }

    /// Writes a whole plain segment's content to a new file, which is synced, read back and compared.
    func writeCompressed(_ reader: SegmentReader, as compression: SegmentCodec, to path: String) throws -> UInt64 {
        let output = try Descriptor.open(path, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW)
        do {
            let encoder = try compression.encoder(inputBytes: segmentSize.bytes)
            try withSegmentBuffer { buffer in
                while true {
                    let count = try reader.read(into: buffer)
                    let part = UnsafeRawBufferPointer(rebasing: UnsafeRawBufferPointer(buffer)[..<count])
                    try encoder.encode(part) { try output.writeAll($0) }
                    if count == 0 { return }
                }
            }
        } catch let fault as CodecFault {
            throw StoreError.badCompression(path: path, reason: fault.reason)
        }
        try keepAttributes(of: reader.path, on: output)
        try output.sync()
        let after = UInt64(max(0, try output.size()))
        try output.close()
        try compare(path, compression.form, with: reader.stored)
        return after
    }

    /// The compressed file is as old as the WAL in it, and belongs to whom the plain one does.
    private func keepAttributes(of plain: String, on output: borrowing Descriptor) throws {
        let status = try FileTree.status(plain)
        if status.uid != geteuid() || status.gid != getegid() { fchown(output.raw, status.uid, status.gid) }
        fchmod(output.raw, status.mode)
        let modified = status.modified
        let time = timespec(tv_sec: Int(modified / 1_000_000), tv_nsec: Int(modified % 1_000_000) * 1000)
        guard futimens(output.raw, [time, time]) == 0 else {
            throw SystemError(call: "set the times of", errno: errno, path: plain)
        }
    }

    private func compare(_ compressed: String, _ form: StoredSegment.Form, with stored: StoredSegment) throws {
        guard let start = stored.name.start(size: segmentSize) else { throw StoreError.notFound(stored.name) }
        let original = try reader(of: stored)
        let written = try SegmentReader(
            StoredSegment(name: stored.name, form: form, bytes: 0),
            path: compressed,
            start: start,
            limit: segmentSize.bytes
        )
        try withSegmentBuffer { left in
            try withSegmentBuffer { right in
                while true {
                    let count = try original.read(into: left)
                    guard try written.read(into: right) == count, left.prefix(count).sameBytes(as: right) else {
                        throw StoreError.differsAfterWrite(path: compressed)
                    }
                    if count == 0 { return }
                }
            }
        }
    }
}

extension Slice<UnsafeMutableRawBufferPointer> {
    /// Whether `other` begins with these bytes.
    fileprivate func sameBytes(as other: UnsafeMutableRawBufferPointer) -> Bool {
        guard let left = UnsafeMutableRawBufferPointer(rebasing: self).baseAddress, let right = other.baseAddress else {
            return isEmpty
        }
        return count <= other.count && memcmp(left, right, count) == 0
    }
}
