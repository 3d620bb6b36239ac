/// In what form a file holds a segment, as the ending of its name says.
///
/// In the order of preference where a segment is there in several: what costs least to read comes first, and complete
/// before partial.
package enum SegmentForm: Hashable, Sendable, CaseIterable {
    /// Complete, byte for byte as upstream wrote it.
    case plain
    /// Complete, as zstd frames.
    case zstd
    /// Complete, as LZ4 frames.
    case lz4
    /// Complete, as gzip members.
    case gzip
    /// Being received, or the last of a timeline that was left: valid up to some record only.
    case partial
    /// The same as the beginning of a frame or member, as pg_receivewal leaves it.
    case lz4Partial
    case gzipPartial

    package static let complete: [SegmentForm] = [.plain, .zstd, .lz4, .gzip]
    package static let partials: [SegmentForm] = [.partial, .lz4Partial, .gzipPartial]

    /// What follows the segment's name in the file's.
    package var suffix: String {
        switch self {
        case .plain: ""
        case .zstd: ".zst"
        case .lz4: ".lz4"
        case .gzip: ".gz"
        case .partial: ".partial"
        case .lz4Partial: ".lz4.partial"
        case .gzipPartial: ".gz.partial"
        }
    }

    package var isComplete: Bool {
        switch self {
        case .plain, .zstd, .lz4, .gzip: true
        case .partial, .lz4Partial, .gzipPartial: false
        }
    }

    package var isCompressed: Bool { self != .plain && self != .partial }
}
