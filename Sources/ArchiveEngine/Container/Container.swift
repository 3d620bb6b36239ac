package import ArchiveModel
import Platform
import PostgresLink
package import WALFormat
package import WALStore

/// An opened container: what it is, where its parts lie, and what its owner has set.
package struct Container: Sendable {
    package let paths: ContainerPaths
    package let identity: ContainerIdentity
    package let settings: Settings

    package var name: String { identity.name }
    package var segmentSize: SegmentSize { identity.segmentSize }
    package var walDirectory: WALDirectory { WALDirectory(path: paths.walArchive, segmentSize: segmentSize) }
    package var expectation: SegmentScanner.Expectation {
        SegmentScanner.Expectation(
            systemIdentifier: identity.systemIdentifier,
            timeline: nil,
            major: PostgresMajor(rawValue: identity.major)
        )
    }

    /// Opens the container in a directory.
    package static func open(_ root: String) throws -> Container {
        let paths = ContainerPaths(root: root)
        guard let identity = try JSONFile.read(ContainerIdentity.self, from: paths.identity) else {
            throw ArchiveError(
                .notFound,
                "'\(root)' is not a container: it has no container.json",
                hint: "'pgarchive container list' shows what is there; 'pgarchive container init' makes one"
            )
        }
        guard identity.format == ContainerIdentity.currentFormat else {
            throw ArchiveError(
                .refused,
                "the container '\(root)' has format \(identity.format); "
                    + "this pgarchive knows \(ContainerIdentity.currentFormat)",
                hint: "use the version of pgarchive that made it"
            )
        }
        return Container(paths: paths, identity: identity, settings: try SettingsFile.read(paths.settings))
    }

    package var slot: String {
        settings.slot.isEmpty ? StandardSlot.name(container: name) : settings.slot
    }

    package var upstreamReplication: String {
        settings.upstreamReplication.isEmpty
            ? StandardReplication.text(settings.upstream) : settings.upstreamReplication
    }
}

/// The replication connection when none is given: the SQL one, as role `replication`.
package enum StandardReplication {
    /// Also for an upstream that is written as a URI.
    package static func text(_ upstream: String) -> String {
        (try? ConnectionString(upstream).merging(["user": "replication"]).text) ?? "\(upstream) user=replication"
    }
}

/// The slot's name when none is given.
package enum StandardSlot {
    /// `pgarchive_` and the container's name, with `_` for what a slot's name cannot hold.
    package static func name(container: String) -> String {
        "pgarchive_"
            + String(
                container.unicodeScalars.map { scalar in
                    ("a"..."z").contains(scalar) || ("0"..."9").contains(scalar) ? Character(scalar) : "_"
                }
            )
    }
}
