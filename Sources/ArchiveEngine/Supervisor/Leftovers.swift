import ArchiveModel
import Platform

/// What killed processes have left in a container; the commands remove what they come by, this removes all of it.
struct Leftovers {
    let container: Container

    /// Nothing is removed that a process still at work may need.
    func remove() throws {
        var directories = [container.paths.root, container.paths.walArchive, container.paths.run]
        do {
            let lock = try ContainerChange.lock(container, for: "removing what killed commands left", waitSeconds: 0)
            defer { lock.release() }
            try SnapshotCatalog(container).removeHalfMade()
            try CloneCatalog(container).removeHalfMade()
        } catch let error as ArchiveError where error.code == .conflict {
            // The command at work has begun with that.
        }
        let standby = container.paths.standbyTree
        directories += [standby.root, standby.data].filter(FileTree.isDirectory)
        for parent in [container.paths.snapshots, container.paths.clones, container.paths.copies] {
            guard FileTree.isDirectory(parent) else { continue }
            directories += try FileTree.list(parent).map { FilePath.join(parent, $0) }.filter(FileTree.isDirectory)
        }
        for directory in directories {
            do throws(SystemError) {
                try DurableFile.removeLeftovers(in: directory)
            } catch {
                // A command has removed it meanwhile.
                guard error.isNotFound else { throw error }
            }
        }
        try removeProcessFiles()
        try LookRemoval(container).removeLeases()
    }

    /// What processes had for themselves that are gone.
    private func removeProcessFiles() throws {
        for name in try FileTree.list(container.paths.run) {
            for kind in ContainerPaths.ProcessFile.allCases {
                guard let pid = ContainerPaths.process(of: name, kind), ProcessIdentity.of(pid)?.isAlive != true else {
                    continue
                }
                try FileTree.removeTree(container.paths.file(kind, of: pid))
            }
        }
    }
}
