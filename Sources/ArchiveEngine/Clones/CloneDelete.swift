import ArchiveModel
import Platform

/// Removes a clone that is stopped.
package struct CloneDelete: Sendable {
    let container: Container

    package init(_ container: Container) {
        self.container = container
    }

    package func run(name: String) throws {
        let lock = try ContainerChange.lock(container, for: "clone delete \(name)")
        defer { lock.release() }
        let catalog = CloneCatalog(container)
        var record = try catalog.find(name)
        guard !CloneServer(container, record).isRunning else {
            throw ArchiveError(
                .conflict,
                "clone '\(name)' is running",
                hint: "'pgarchive clone stop \(name)' first"
            )
        }
        record.state = .deleting
        do {
            try catalog.save(record)
        } catch let error as SystemError where error.isFull {
            // Without a record it is half-made, and removed by whoever comes next.
            try DurableFile.remove(container.paths.clone(name).record)
        }
        try FaultPoint.pass("clone.afterUnlisting")
        try catalog.removeTree(name)
    }
}
