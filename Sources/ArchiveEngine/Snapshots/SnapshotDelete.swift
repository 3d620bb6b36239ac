import ArchiveModel
import Platform

/// Removes snapshots: first the record, durably, so that a half-removed one is listed nowhere; then the copy.
package struct SnapshotDelete: Sendable {
    let container: Container

    package init(_ container: Container) {
        self.container = container
    }

    /// - Returns: the names of what was removed.
    package func run(patterns: [String]) throws -> [String] {
        let lock = try ContainerChange.lock(container, for: "snapshot delete")
        defer { lock.release() }
        let catalog = SnapshotCatalog(container)
        // What a killed clone create left needs nothing any more.
        try CloneCatalog(container).removeHalfMade()
        // A damaged record must not protect its snapshot from being deleted by name.
        let damaged = try catalog.contents().damaged.map(\.name).filter { patterns.contains($0) }
        let rest = patterns.filter { !damaged.contains($0) }
        let snapshots = rest.isEmpty ? [] : try catalog.matching(rest)
        let clones = try CloneCatalog(container).all().filter { $0.state == .creating || $0.state == .created }
        let restores = try RestoreHold.all(container)
        for snapshot in snapshots {
            // A clone is a copy of its own; only while it still recovers does it need the snapshot's WAL.
            if let clone = clones.first(where: { $0.snapshot == snapshot.name }) {
                throw ArchiveError(
                    .conflict,
                    "clone '\(clone.name)' has not yet recovered from snapshot '\(snapshot.name)'",
                    hint: clone.isUnfinished ? "it is being made: try again" : "start the clone first, or delete it"
                )
            }
            if let restore = restores.first(where: { $0.snapshot == snapshot.name }) {
                throw ArchiveError(
                    .conflict,
                    "process \(restore.process.pid) is restoring snapshot '\(snapshot.name)' to '\(restore.directory)'",
                    hint: "wait for it, or interrupt it"
                )
            }
        }
        let names = snapshots.map(\.name) + damaged
        for name in names { try remove(name) }
        return names
    }

    func remove(_ name: String) throws {
        try DurableFile.remove(container.paths.snapshot(name).record)
        try FaultPoint.pass("snapshot.afterUnlisting")
        try removeTree(name)
    }

    func removeTree(_ name: String) throws {
        let paths = container.paths.snapshot(name)
        try ReadyImages(container).end(of: name)
        try ReadyImages(container).removeTree(of: name)
        if FileTree.exists(paths.root) { try container.driver.deleteVolume(paths.root) }
        try FaultPoint.pass("snapshot.afterVolume")
        try FileTree.removeTree(paths.directory)
    }
}
