package import WALFormat

/// What a container is, written once by `container init` (`container.json`).
package struct ContainerIdentity: Codable, Hashable, Sendable {
    package static let currentFormat = 1

    package var format: Int
    package var name: String
    /// Upstream's `system_identifier`, in decimal.
    package var systemIdentifier: UInt64
    package var major: Int
    package var segmentBytes: UInt64
    package var driver: StorageDriverKind
    /// The system user that everything runs as.
    package var owner: String
    /// A superuser of the upstream that may log in; the standby and the clones are managed as this role.
    package var superuser: String
    package var createdAt: PostgresTime

    package init(
        name: String,
        systemIdentifier: UInt64,
        major: Int,
        segmentBytes: UInt64,
        driver: StorageDriverKind,
        owner: String,
        superuser: String,
        createdAt: PostgresTime
    ) {
        self.format = Self.currentFormat
        self.name = name
        self.systemIdentifier = systemIdentifier
        self.major = major
        self.segmentBytes = segmentBytes
        self.driver = driver
        self.owner = owner
        self.superuser = superuser
        self.createdAt = createdAt
    }

    package var segmentSize: SegmentSize { SegmentSize(bytes: segmentBytes) ?? .standard }
}

package enum StorageDriverKind: String, Codable, CaseIterable, Sendable {
    case btrfs
    case reflink
    case copy
}
