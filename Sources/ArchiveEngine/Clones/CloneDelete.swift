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
        if try catalog.removeHalfMade(failed: { if $0 == name { throw $1 } }).contains(name) { return }
        // A damaged record must not protect its clone from being deleted.
        let isDamaged = try catalog.contents().damaged.contains { $0.name == name }
        if !isDamaged { try CloneProtection.require(catalog.find(name, unfinishedToo: true), for: "delete") }
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
        try remove(name, lock, isDamaged: isDamaged)
    }

    /// Removes one whose server has ended, with the change lock held, and its own.
    func remove(_ name: String, _ lock: HeldLock, isDamaged: Bool = false) throws {
        let catalog = CloneCatalog(container)
        try unlist(name, catalog, isDamaged: isDamaged)
        try FaultPoint.pass("clone.afterUnlisting")
        try catalog.removeTree(name)
        try FaultPoint.pass("clone.beforeUnlock")
        CloneLock.remove(lock)
    }

    private func unlist(_ name: String, _ catalog: CloneCatalog, isDamaged: Bool) throws {
        do {
            guard !isDamaged else { return try DurableFile.remove(container.paths.clone(name).record) }
            var record = try catalog.find(name, unfinishedToo: true)
            record.state = .deleting
            try catalog.save(record)
        } catch let error as SystemError where error.isFull {
            // Without a record it is half-made, and removed by whoever comes next.
            try DurableFile.remove(container.paths.clone(name).record)
        }
    }
}

/// What a protected clone is kept from.
enum CloneProtection {
    static func require(_ record: CloneRecord, for verb: String) throws {
        guard record.isProtected else { return }
        throw ArchiveError(
            .refused,
            "clone '\(record.name)' is protected",
            hint: "'pgarchive clone unprotect \(record.name)' takes that back, then 'clone \(verb)' can be said"
        )
    }
}
