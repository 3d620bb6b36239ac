package import WALFormat

/// What is wrong in a WAL archive, apart from what the system reports (`SystemError`).
package enum StoreError: Error, Hashable, Sendable, CustomStringConvertible {
    /// The archive has the segment in no form.
    case notFound(SegmentName)
    /// A segment's file holds another number of bytes than its form demands.
    case wrongSize(path: String, bytes: UInt64, expected: UInt64)
    /// The compressed file cannot be decompressed to a whole segment.
    case badCompression(path: String, reason: String)
    /// What was written does not read back as what it was made from.
    case differsAfterWrite(path: String)
    /// A history file that cannot be read as one.
    case badHistory(path: String, FormatError)
    /// The name exists with other content; nothing was overwritten, the newcomer was kept as `evidence`.
    case conflict(path: String, evidence: String)
    /// Somebody else is at work on the same file.
    case busy(path: String)
    /// The path leads over a timeline whose history file is not in the archive.
    case historyMissing(TimelineID)

    package var description: String {
        switch self {
        case .notFound(let name): "segment \(name) is not in the archive"
        case .wrongSize(let path, let bytes, let expected): "\(path) has \(bytes) bytes instead of \(expected)"
        case .badCompression(let path, let reason): "\(path) cannot be decompressed: \(reason)"
        case .differsAfterWrite(let path): "\(path) does not read back as it was written"
        case .badHistory(let path, let error): "\(path) is not a timeline history: \(error)"
        case .conflict(let path, let evidence):
            "\(path) exists with other content; the new content was kept as \(evidence)"
        case .busy(let path): "\(path) is being worked on by another process"
        case .historyMissing(let timeline): "the archive has no history file of timeline \(timeline)"
        }
    }
}
