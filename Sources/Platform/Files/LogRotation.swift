import Glibc

/// Keeps a log bounded: when it has become large it is moved to `NAME.1`, over the one that was there.
///
/// Whoever has it open goes on writing to the one moved away until it looks where its name leads.
package enum LogRotation {
    package static let largestBytes: Int64 = 4 << 20

    /// A log that cannot be moved grows on: that is no reason not to write to it.
    package static func rotate(_ path: String, beyond bytes: Int64 = largestBytes) {
        guard let size = try? FileTree.size(path), size > bytes else { return }
        _ = Glibc.rename(path, "\(path).1")
    }
}
