package import ArchiveModel
import Platform
import PostgresLink

/// The images of a container's snapshots.
///
/// A directory without `ready.json` is no image. Whoever makes one holds a lock that says of which snapshot.
package struct ReadyImages: Sendable {
    let container: Container

    package init(_ container: Container) {
        self.container = container
    }

    /// A snapshot's image; nil also where its record cannot be read, as it can be made anew.
    package func image(of snapshot: String) -> ReadyImage? {
        guard let image = try? JSONFile.read(ReadyImage.self, from: container.paths.snapshot(snapshot).readyRecord),
            image.format == ReadyImage.currentFormat, image.plan.snapshot == snapshot
        else { return nil }
        return image
    }

    /// The image that a clone can be a copy of.
    func image(for clone: CloneRecord) -> ReadyImage? {
        image(of: clone.snapshot).flatMap { $0.serves(clone.stop, clone.path) ? $0 : nil }
    }

    package func all() throws -> [String: ReadyImage] {
        var images: [String: ReadyImage] = [:]
        for snapshot in try SnapshotCatalog(container).all() {
            if let image = image(of: snapshot.name) { images[snapshot.name] = image }
        }
        return images
    }

    /// Removes a snapshot's image, or what was made of it.
    package func remove(of snapshot: String) throws {
        let lock = try lock(for: snapshot, waitSeconds: 1)
        defer { lock.release() }
        try removeTree(of: snapshot)
    }

    // MARK: - Making

    static func work(on snapshot: String) -> String { "snapshot prepare \(snapshot)" }

    /// One image is made at a time: two would not be ready sooner.
    func lock(for snapshot: String, waitSeconds: Double) throws -> HeldLock {
        do {
            return try HeldLock.acquire(
                container.paths.readyLock,
                wait: waitSeconds,
                description: Self.work(on: snapshot)
            )
        } catch let conflict as LockConflict {
            throw ArchiveError(
                .conflict,
                "an image is being made: \(conflict.holder?.description ?? "unknown")",
                hint: "try again when it has ended, or end it"
            )
        }
    }

    /// Removes what killed processes have left; what is being made is left alone.
    func removeHalfMade() {
        guard let lock = try? HeldLock.acquire(container.paths.readyLock, description: "removing half-made images")
        else { return }
        defer { lock.release() }
        removeHalfMade(holding: lock)
    }

    func removeHalfMade(holding lock: HeldLock) {
        for name in (try? FileTree.list(container.paths.snapshots)) ?? [] {
            let paths = container.paths.snapshot(name)
            let isBegun = FileTree.exists(paths.readyRoot) || FileTree.exists(paths.making)
            if isBegun, !FileTree.exists(paths.readyRecord) { try? removeTree(of: name) }
        }
    }

    /// With the lock held, or the snapshot unlisted.
    func removeTree(of snapshot: String) throws {
        let paths = container.paths.snapshot(snapshot)
        try DurableFile.remove(paths.readyRecord)
        try FaultPoint.pass("ready.afterUnlisting")
        if let server = PostgresServer.find(dataDirectory: paths.readyTree.data) {
            try server.stop(.immediate, timeoutSeconds: 30)
        }
        if FileTree.exists(paths.readyRoot) { try container.driver.deleteVolume(paths.readyRoot) }
        if FileTree.exists(paths.making) { try FileTree.removeTree(paths.making) }
    }

    /// Ends the making of an image whose snapshot is no longer listed, and waits for it.
    func end(of snapshot: String) throws {
        let deadline = Deadline(seconds: 60)
        while true {
            if let server = PostgresServer.find(dataDirectory: container.paths.snapshot(snapshot).readyTree.data) {
                try server.stop(.immediate, timeoutSeconds: 30)
            }
            guard let holder = try HeldLock.isHeld(container.paths.readyLock),
                holder.text == Self.work(on: snapshot)
            else { return }
            guard !deadline.hasPassed else {
                throw ArchiveError(
                    .conflict,
                    "process \(holder.pid) is making an image of snapshot '\(snapshot)'",
                    hint: "wait for it, or interrupt it"
                )
            }
            SystemClock.sleep(seconds: 0.02)
        }
    }
}
