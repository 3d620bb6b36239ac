import ArchiveModel
import Platform

/// Defragments the standby's files on btrfs.
package struct StandbyDefragment: Sendable {
    let container: Container

    package init(_ container: Container) {
        self.container = container
    }

    /// What defragmenting may cost, in bytes.
    package struct Need: Codable, Sendable {
        package let neededBytes: UInt64
        package let freeBytes: UInt64
    }

    /// Writes the files anew.
    ///
    /// They are then no longer shared with the snapshots, so room for all of them must be free.
    package func run() throws -> Need {
        guard container.identity.driver == .btrfs else {
            throw ArchiveError(
                .refused,
                "the container's driver is '\(container.identity.driver.rawValue)': only btrfs needs defragmenting",
                hint: "remove this job from the crontab"
            )
        }
        let standby = container.paths.standby
        let size = try FileTree.byteCount(of: standby)
        let need = Need(neededBytes: size + size / 10, freeBytes: try DiskSpace.at(standby).freeBytes)
        guard need.freeBytes > need.neededBytes else {
            throw ArchiveError(
                .refused,
                "defragmenting may need \(need.neededBytes >> 20) MB, and \(need.freeBytes >> 20) MB are free",
                hint: "expire snapshots, or make the filesystem larger"
            )
        }
        try container.driver.defragment(standby)
        return need
    }
}
