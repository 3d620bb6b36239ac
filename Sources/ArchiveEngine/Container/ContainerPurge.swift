import ArchiveModel
import Platform
import PostgresLink

/// Removes a container with all that belongs to it, here and on the upstream.
package struct ContainerPurge: Sendable {
    /// What will be removed; printed before anything is.
    package struct Plan: Codable, Sendable {
        package var root: String
        package var slot: String?
        package var upstream: String?
        package var snapshots: [String]
        package var clones: [String]
        package var walBytes: UInt64
        package var pool: String?
        /// Processes that must be stopped first.
        package var running: [String]
    }

    let root: String
    let container: Container?
    /// Used where the settings cannot be read.
    let fallback: (upstream: String, replication: String, slot: String)

    /// - Parameter root: the container's directory; its files may be damaged.
    package init(root: String, upstream: String, upstreamReplication: String, slot: String) {
        self.root = root
        self.container = try? Container.open(root)
        self.fallback = (upstream, upstreamReplication, slot)
    }

    private var paths: ContainerPaths { ContainerPaths(root: root) }

    package func plan(pool: String?) throws -> Plan {
        let clones = (try? FileTree.list(paths.clones)) ?? []
        return Plan(
            root: root,
            slot: slotName,
            upstream: replication.flatMap { try? ConnectionString($0).redacted },
            snapshots: (try? FileTree.list(paths.snapshots)) ?? [],
            clones: clones,
            walBytes: (try? FileTree.byteCount(of: paths.walArchive)) ?? 0,
            pool: pool,
            running: try running(clones: clones)
        )
    }

    private var slotName: String? {
        if let container { return container.slot }
        if !fallback.slot.isEmpty { return fallback.slot }
        return StandardSlot.name(container: FilePath.name(of: root))
    }

    private var replication: String? {
        if let container { return container.upstreamReplication }
        if !fallback.replication.isEmpty { return fallback.replication }
        return fallback.upstream.isEmpty ? nil : StandardReplication.text(fallback.upstream)
    }

    /// An init was killed: what it left running is nobody's, and is stopped.
    private var isHalfMade: Bool { FileTree.exists(paths.initMark) }

    private func running(clones: [String]) throws -> [String] {
        if let holder = try HeldLock.isHeld(paths.initLock) { return ["container init (process \(holder.pid))"] }
        if isHalfMade { return [] }
        var found: [String] = []
        if let holder = try HeldLock.isHeld(paths.supervisorLock) { found.append("supervisor (process \(holder.pid))") }
        if let holder = try HeldLock.isHeld(paths.receiverLock) { found.append("wal_archive (process \(holder.pid))") }
        if let server = PostgresServer.find(dataDirectory: paths.standbyTree.data) {
            found.append("standby (process \(server.pid))")
        }
        for clone in clones {
            if let server = PostgresServer.find(dataDirectory: paths.clone(clone).tree.data) {
                found.append("clone \(clone) (process \(server.pid))")
            }
        }
        return found
    }

    package static func requireStopped(_ plan: Plan) throws {
        guard plan.running.isEmpty else {
            throw ArchiveError(
                .conflict,
                "the container is in use: \(plan.running.joined(separator: ", "))",
                hint: "'pgarchive clone stop --all' and 'pgarchive container stop' first"
            )
        }
    }

    /// Removes everything but the pool, which root removes afterwards.
    ///
    /// - Returns: what could not be done, in words; the container is gone all the same.
    package func run(progress: Progress) throws -> [String] {
        try Self.requireStopped(try plan(pool: nil))
        var remarks: [String] = []
        if isHalfMade, let container {
            _ = try PartControl(container).shutdown(mode: "immediate")
        }
        progress.step("dropping the slot")
        if let remark = dropSlot() { remarks.append(remark) }
        progress.step("removing \(root)")
        // Unlisted first: a purge that is killed leaves nothing that looks like a container but its identity.
        let driver = container?.driver
        for (directory, volume) in try volumes() {
            if let driver { try driver.deleteVolume(volume) } else { try? BtrfsDriver().deleteVolume(volume) }
            try FileTree.removeTree(directory)
        }
        if FileTree.exists(paths.standby) {
            if let driver {
                try driver.deleteVolume(paths.standby)
            } else {
                try BtrfsDriver().deleteVolume(paths.standby)
            }
        }
        try ContainerDirectory.remove(root)
        return remarks
    }

    private func volumes() throws -> [(directory: String, volume: String)] {
        var found: [(String, String)] = []
        for name in (try? FileTree.list(paths.clones)) ?? [] {
            found.append((paths.clone(name).directory, paths.clone(name).root))
        }
        for name in (try? FileTree.list(paths.snapshots)) ?? [] {
            try? DurableFile.remove(paths.snapshot(name).record)
            found.append((paths.snapshot(name).directory, paths.snapshot(name).root))
        }
        return found
    }

    /// - Returns: why the slot is still there.
    private func dropSlot() -> String? {
        guard let text = slotName, let slot = SlotName(text) else { return nil }
        let later = "if it still exists: SELECT pg_drop_replication_slot('\(text)');"
        let connections = ([replication] + [container?.settings.upstream ?? fallback.upstream])
            .compactMap { $0 }.filter { !$0.isEmpty }.compactMap { try? ConnectionString($0) }
        guard !connections.isEmpty else {
            return "the slot '\(text)' was not dropped, since no connection to the upstream is known; \(later)"
        }
        var failure = ""
        for connection in connections {
            do {
                try UpstreamSlots.drop(connection, slot)
                return nil
            } catch {
                // The role of the other connection may still have the right to.
                if failure.isEmpty { failure = error.message }
            }
        }
        return "the slot '\(text)' was not dropped: \(failure); \(later)"
    }
}
