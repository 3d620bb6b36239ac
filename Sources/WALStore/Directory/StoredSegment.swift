package import WALFormat

/// A segment as a file of the archive.
package struct StoredSegment: Hashable, Sendable {
    package enum Form: Hashable, Sendable, CaseIterable {
        /// Complete, byte for byte as upstream wrote it.
        case plain
        /// Complete, as zstd frames.
        case zstd
        /// Being received, or the last of a timeline that was left: valid up to some record only.
        case partial

        package var suffix: String {
            switch self {
            case .plain: ""
            case .zstd: ".zst"
            case .partial: ".partial"
            }
        }

        package var isComplete: Bool { self != .partial }
    }

    package let name: SegmentName
    package let form: Form
    /// The file's length.
    package let bytes: UInt64

    package init(name: SegmentName, form: Form, bytes: UInt64) {
        self.name = name
        self.form = form
        self.bytes = bytes
    }

    package var fileName: String { "\(name)\(form.suffix)" }
}
