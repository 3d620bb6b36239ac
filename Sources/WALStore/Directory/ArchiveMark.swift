internal import Glibc
package import Platform

/// A file in a container's WAL archive with its cluster's system identifier.
///
/// A directory without it is not that archive, but a mount point on which nothing is mounted, say.
package enum ArchiveMark {
    package static let name = "system_identifier"
    private static let limitBytes = 64

    /// Nil where there is none, or none that can be read as one.
    package static func read(_ directory: String) throws(SystemError) -> UInt64? {
        do throws(SystemError) {
            let text = try FileTree.readText(FilePath.join(directory, name), limit: limitBytes)
            return UInt64(text.prefix { $0 != "\n" })
        } catch {
            guard error.isNotFound else { throw error }
            return nil
        }
    }

    package static func write(_ directory: String, systemIdentifier: UInt64) throws(SystemError) {
        // The upstream's server reads it, over a share perhaps as another user.
        try DurableFile.replace(FilePath.join(directory, name), text: "\(systemIdentifier)\n", mode: 0o644)
    }
}
