package import ArchiveModel
import Platform

/// The standby's directory as something that must not reach outside of itself.
package enum StandbyTree {
    /// Makes each tablespace link relative, so that a copy of the tree is self-contained.
    package static func relinkTablespaces(_ tree: ServerTree) throws {
        guard FileTree.exists(tree.tablespaceLinks) else { return }
        var isChanged = false
        for name in try FileTree.list(tree.tablespaceLinks) {
            let link = "\(tree.tablespaceLinks)/\(name)"
            guard FileTree.isSymbolicLink(link), let oid = UInt32(name), FileTree.isDirectory(tree.tablespace(oid))
            else {
                continue
            }
            let relative = "../../tablespaces/\(name)"
            guard try FileTree.linkTarget(link) != relative else { continue }
            try FileTree.replaceLink(link, target: relative)
            isChanged = true
        }
        if isChanged { try DurableFile.syncDirectory(tree.tablespaceLinks) }
    }

    /// Refuses a tree with a tablespace link that leaves it: a server on a copy would touch files that are not its own.
    package static func requireContained(_ tree: ServerTree) throws {
        guard FileTree.exists(tree.tablespaceLinks) else { return }
        for name in try FileTree.list(tree.tablespaceLinks) {
            let link = "\(tree.tablespaceLinks)/\(name)"
            guard FileTree.isSymbolicLink(link) else { continue }
            let target = try FileTree.linkTarget(link)
            guard target == "../../tablespaces/\(name)" else {
                throw ArchiveError(
                    .refused,
                    "tablespace \(name) of the standby lies outside of the container: \(target)",
                    hint: "make the container anew; a copy of this standby would touch those files"
                )
            }
        }
    }
}

/// Why the standby's fetch withholds WAL (`run/standby.hold`).
package struct StandbyHold: Codable, Hashable, Sendable {
    package var kind: String
    package var segment: String?
    package var lsn: String?
    package var text: String

    package static func read(_ container: Container) -> StandbyHold? {
        (try? JSONFile.read(StandbyHold.self, from: container.paths.standbyHold)) ?? nil
    }
}
