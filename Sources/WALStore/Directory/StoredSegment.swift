package import WALFormat

/// A segment as a file of the archive.
package struct StoredSegment: Hashable, Sendable {
    package typealias Form = SegmentForm

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
