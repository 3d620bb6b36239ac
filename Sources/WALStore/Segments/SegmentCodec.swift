import CZstd
import Glibc
import Platform
package import WALFormat

/// Compressing complete segments in place.
extension WALDirectory {
    /// Replaces a plain segment by `SEGMENT.zst`, which is read back and compared first.
    ///
    /// Killed anywhere, it leaves the plain file, the compressed one, or both, each whole. A segment that is already
    /// compressed is fine, also when somebody else compresses it at the same time.
    /// - Parameters:
    ///   - name: the segment.
    ///   - level: zstd's, 1 to 19.
    /// - Returns: the sizes of the file before and after, in bytes.
    /// - Throws: `StoreError.notFound` when there is no complete one; `.wrongSize` for one that is not whole.
    @discardableResult
    package func compress(_ name: SegmentName, level: Int32 = 1) throws -> (before: UInt64, after: UInt64) {
        guard let reader = try open(name, completeOnly: true) else { throw StoreError.notFound(name) }
        let before = try reader.fileBytes()
        guard reader.stored.form == .plain else { return (before, before) }
        guard before == segmentSize.bytes else {
            throw StoreError.wrongSize(path: reader.path, bytes: before, expected: segmentSize.bytes)
        }
        let final = FilePath.join(path, StoredSegment(name: name, form: .zstd, bytes: 0).fileName)
        let temporary = DurableFile.temporaryName(for: final)
        do {
            let output = try Descriptor.open(temporary, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW)
            try Compression(level: level, inputBytes: before, path: temporary).run(reader, into: output)
            try keepAttributes(of: reader.path, on: output)
            try output.sync()
            let after = UInt64(max(0, try output.size()))
            try output.close()
            try compare(temporary, with: reader.stored)
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

    private func compare(_ compressed: String, with stored: StoredSegment) throws {
        guard let start = stored.name.start(size: segmentSize) else { throw StoreError.notFound(stored.name) }
        let original = try reader(of: stored)
        let written = try SegmentReader(
            StoredSegment(name: stored.name, form: .zstd, bytes: 0),
            path: compressed,
            start: start
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

/// One zstd frame with a checksum and the content's size.
private final class Compression {
    private let context: OpaquePointer
    private let path: String

    init(level: Int32, inputBytes: UInt64, path: String) throws {
        guard let context = ZSTD_createCCtx() else {
            throw StoreError.badCompression(path: path, reason: "no memory")
        }
        self.context = context
        self.path = path
        try check(ZSTD_CCtx_setParameter(context, ZSTD_c_compressionLevel, max(1, min(19, level))))
        try check(ZSTD_CCtx_setParameter(context, ZSTD_c_checksumFlag, 1))
        try check(ZSTD_CCtx_setPledgedSrcSize(context, inputBytes))
    }

    deinit { ZSTD_freeCCtx(context) }

    func run(_ reader: SegmentReader, into file: borrowing Descriptor) throws {
        try withSegmentBuffer { source in
            try withUnsafeTemporaryAllocation(byteCount: ZSTD_CStreamOutSize(), alignment: 16) { space in
                while true {
                    let count = try reader.read(into: source)
                    var input = ZSTD_inBuffer(src: UnsafeRawPointer(source.baseAddress), size: count, pos: 0)
                    let directive = count == 0 ? ZSTD_e_end : ZSTD_e_continue
                    var isDone = false
                    while !isDone {
                        var output = ZSTD_outBuffer(dst: space.baseAddress, size: space.count, pos: 0)
                        let left = try check(ZSTD_compressStream2(context, &output, &input, directive))
                        try file.writeAll(
                            UnsafeRawBufferPointer(rebasing: UnsafeRawBufferPointer(space)[..<output.pos])
                        )
                        isDone = count == 0 ? left == 0 : input.pos == input.size
                    }
                    if count == 0 { return }
                }
            }
        }
    }

    @discardableResult
    private func check(_ result: Int) throws -> Int {
        guard ZSTD_isError(result) == 0 else {
            throw StoreError.badCompression(path: path, reason: String(cString: ZSTD_getErrorName(result)))
        }
        return result
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
