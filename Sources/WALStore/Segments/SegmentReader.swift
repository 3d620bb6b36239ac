import Glibc
import Platform
package import WALFormat

/// Reads a stored segment from its first byte on, in whatever form it is stored, with a bounded amount of memory.
///
/// Reads with `read`, not `mmap`: a disk error is then an error instead of a signal that kills the process.
package final class SegmentReader {
    package let stored: StoredSegment
    package let path: String
    /// The address of the next byte that `read` gives.
    package private(set) var position: LSN
    /// The beginning of the segment, up to the length of a long page header.
    package private(set) var header: [UInt8] = []
    private let start: LSN
    private let file: Descriptor
    private let decompression: Decompression?

    /// The length of a long page header (XLogLongPageHeaderData, xlog_internal.h).
    package static let headerBytes = 40

    /// Opens a stored segment; a compressed one that holds more than `limit` bytes is damaged.
    /// - Throws: `SystemError`, ENOENT when the file has got another name meanwhile; `StoreError.badCompression`.
    package init(_ stored: StoredSegment, path: String, start: LSN, limit: UInt64 = 1 << 30) throws {
        self.stored = stored
        self.path = path
        self.start = start
        self.position = start
        self.file = try Descriptor.open(path, O_RDONLY | O_NOFOLLOW)
        self.decompression = try Decompression(stored.form, path: path, limit: limit)
        self.header = try readHeader()
    }

    private func readHeader() throws -> [UInt8] {
        guard let decompression else { return try file.bytes(count: Self.headerBytes) }
        return try decompression.peek(Self.headerBytes, from: file)
    }

    /// The major version whose pages these are, by the first page's magic number.
    package var major: PostgresMajor? {
        guard header.count >= 2 else { return nil }
        return PostgresMajor(pageMagic: UInt16(header[0]) | UInt16(header[1]) << 8)
    }

    /// The segment size that the first page names (xlp_seg_size, at byte 32 of the long header).
    package var segmentSize: SegmentSize? {
        guard header.count >= Self.headerBytes else { return nil }
        let bytes = header[32..<36].reversed().reduce(UInt64(0)) { $0 << 8 | UInt64($1) }
        return SegmentSize(bytes: bytes)
    }

    /// The cluster that the first page names (xlp_sysid, at byte 24 of the long header).
    package var systemIdentifier: UInt64? {
        guard header.count >= Self.headerBytes else { return nil }
        return header[24..<32].reversed().reduce(UInt64(0)) { $0 << 8 | UInt64($1) }
    }

    /// The number of the file's descriptor where the file is the segment, for a copy by reference; nil when compressed.
    package var plainDescriptor: Int32? { decompression == nil ? file.raw : nil }

    /// The file's length now.
    package func fileBytes() throws -> UInt64 { UInt64(max(0, try file.size())) }

    /// The next bytes, as many as are there and fit; 0 at the end.
    package func read(into buffer: UnsafeMutableRawBufferPointer) throws -> Int {
        let count: Int
        if let decompression {
            count = try decompression.read(into: buffer, from: file)
        } else {
            let offset = Int64(clamping: position.bytes(since: start))
            count = try file.readFull(into: buffer, at: offset)
        }
        position = position.advanced(by: UInt64(count))
        return count
    }

    /// Moves on to a later address, which need not be in the file.
    package func skip(to wanted: LSN) throws {
        guard wanted > position else { return }
        guard decompression != nil else {
            position = wanted
            return
        }
        try withSegmentBuffer { buffer in
            while position < wanted {
                let count = min(UInt64(buffer.count), wanted.bytes(since: position))
                let part = UnsafeMutableRawBufferPointer(rebasing: buffer[..<Int(count)])
                if try read(into: part) == 0 { return }
            }
        }
    }
}

/// Memory for one piece of a segment: large enough to make calls rare, small enough to stay in the processor's cache.
func withSegmentBuffer<Result>(_ body: (UnsafeMutableRawBufferPointer) throws -> Result) rethrows -> Result {
    try withUnsafeTemporaryAllocation(byteCount: 256 << 10, alignment: 4096, body)
}
