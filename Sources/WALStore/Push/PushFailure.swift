/// Why a file was not stored; nothing was changed then.
///
/// PostgreSQL keeps the file and asks again.
package struct PushFailure: Error, Hashable, Sendable, CustomStringConvertible {
    /// The exit statuses.
    ///
    /// All are below 126: with a higher one PostgreSQL's archiver ends, and does not count the failure.
    package enum Kind: Int32, Sendable {
        /// The disk, the network or the source could not be used; it may pass.
        case trouble = 1
        /// Not a name that PostgreSQL archives.
        case usage = 2
        /// WAL of another cluster, segment size or timeline.
        case refused = 4
        /// The archive's directory or the source is not there.
        case notFound = 6
        /// The name is taken by other content.
        case conflict = 7
        /// Not WAL, or WAL that cannot be replayed.
        case damaged = 9
    }

    package let kind: Kind
    package let text: String
    package let hint: String
    /// Not the file is in the way, but the archive: no room, no permission, nothing mounted.
    package let isOfArchive: Bool

    package init(_ kind: Kind, _ text: String, hint: String, isOfArchive: Bool = false) {
        self.kind = kind
        self.text = text
        self.hint = hint
        self.isOfArchive = isOfArchive
    }

    package var exitStatus: Int32 { kind.rawValue }
    package var description: String { text }
}
