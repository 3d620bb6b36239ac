import CZstd
import Glibc
import Platform
import WALFormat

/// What a stored segment holds.
extension WALDirectory {
    /// How long the segment in a compressed file is, where the file says so and has but one frame.
    package func contentBytes(of stored: StoredSegment) throws -> UInt64? {
        guard stored.form == .zstd else { return nil }
        let file = try Descriptor.open(path(of: stored), O_RDONLY | O_NOFOLLOW)
        let head = try file.bytes(count: 18)
        let told = head.withUnsafeBytes { ZSTD_getFrameContentSize($0.baseAddress, $0.count) }
        // UNKNOWN and ERROR are the two largest numbers.
        guard told < UInt64.max - 1 else { return nil }
        guard told != segmentSize.bytes else { return told }
        // It may be the first of several frames.
        return try counted(stored)
    }

    /// Writes a segment as a new plain file, unsynced, for programs that know no other form.
    package func unpack(_ stored: StoredSegment, to path: String) throws {
        let content = try bytes(of: stored)
        let file = try Descriptor.open(path, O_WRONLY | O_CREAT | O_EXCL, mode: 0o600)
        try content.withBytes { try file.writeAll($0, at: 0) }
    }

    private func counted(_ stored: StoredSegment) throws -> UInt64 {
        let reader = try reader(of: stored)
        var count: UInt64 = 0
        return try withSegmentBuffer { buffer in
            while true {
                let read = try reader.read(into: buffer)
                count &+= UInt64(read)
                if read == 0 || count > segmentSize.bytes { return count }
            }
        }
    }
}
