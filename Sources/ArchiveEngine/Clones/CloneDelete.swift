import ArchiveModel
import Platform
import PostgresLink

/// Removes a clone that is stopped.
package struct CloneDelete: Sendable {
    let container: Container

    package init(_ container: Container) {
        self.container = container
    }

    package func run(name: String) throws {
        let change = try ContainerChange.lock(container, for: "clone delete \(name)")
        defer { change.release() }
        let catalog = CloneCatalog(container)
        if try catalog.removeHalfMade().contains(name) { return }
        // A damaged record must not protect its clone from being deleted.
        let isDamaged = try catalog.contents().damaged.contains { $0.name == name }
        if !isDamaged { _ = try catalog.find(name) }
        let lock = try CloneLock.take(container, name, for: "clone delete")
        defer { lock.release() }
        if let server = PostgresServer.find(dataDirectory: container.paths.clone(name).tree.data) {
            throw ArchiveError(
                .conflict,
                "clone '\(name)' is running",
                hint: isDamaged
                    ? "its record cannot be read; 'kill -INT \(server.pid)' stops it"
                    : "'pgarchive clone stop \(name)' first"
            )
        }
        try unlist(name, catalog, isDamaged: isDamaged)
        try FaultPoint.pass("clone.afterUnlisting")
        try catalog.removeTree(name)
        try FaultPoint.pass("clone.beforeUnlock")
        CloneLock.remove(lock)
    }

    private func unlist(_ name: String, _ catalog: CloneCatalog, isDamaged: Bool) throws {
        do {
            guard !isDamaged else { return try DurableFile.remove(container.paths.clone(name).record) }
            var record = try catalog.find(name)
            record.state = .deleting
            try catalog.save(record)
        } catch let error as SystemError where error.isFull {
            // Without a record it is half-made, and removed by whoever comes next.
            try DurableFile.remove(container.paths.clone(name).record)
        }
    }
}
