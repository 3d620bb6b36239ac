package import WALFormat

/// A segment as a file of the archive.
package struct StoredSegment: Hashable, Sendable {
    package typealias Form = SegmentForm

    package let name: SegmentName
    package let form: Form
    /// The file's length.
    package let bytes: UInt64
    /// Tells it from another file of the same name; nil where nobody looked.
    package let stamp: Stamp?

    package struct Stamp: Hashable, Sendable {
        /// Last change of the content, microseconds since 1970.
        package let modified: Int64
        package let inode: UInt64

        package init(modified: Int64, inode: UInt64) {
            self.modified = modified
            self.inode = inode
        }
    }

    package init(name: SegmentName, form: Form, bytes: UInt64, stamp: Stamp? = nil) {
        self.name = name
        self.form = form
        self.bytes = bytes
        self.stamp = stamp
    }

    package var fileName: String { "\(name)\(form.suffix)" }
}
