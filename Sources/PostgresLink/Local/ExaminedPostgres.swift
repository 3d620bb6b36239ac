internal import Platform
package import WALFormat

/// What a `postgres` said of itself, and by what is seen that it is still the same file.
///
/// To ask it takes as long as much of what it is started for.
package struct ExaminedPostgres: Codable, Hashable, Sendable {
    package let directory: String
    package let major: PostgresMajor
    package let version: String
    private let device: UInt64
    private let inode: UInt64
    private let bytes: Int64
    private let modified: Int64

    /// Nil for what is no plain file: what a link leads to may change unseen.
    package init?(_ installation: PostgresInstallation) {
        guard let file = try? FileTree.status(installation.tool("postgres")), file.kind == .regular else { return nil }
        directory = installation.binDirectory
        major = installation.major
        version = installation.version
        device = file.device
        inode = file.inode
        bytes = file.bytes
        modified = file.modified
    }

    /// What it is, where it is still the same.
    var installation: PostgresInstallation? {
        let installation = PostgresInstallation(major: major, version: version, binDirectory: directory)
        return ExaminedPostgres(installation) == self ? installation : nil
    }
}
