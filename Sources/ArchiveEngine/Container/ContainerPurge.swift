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

    /// What its locks say of it.
    private static let work = "container purge"

    let root: String
    let container: Container?
    /// Of an init that has not ended; then the slot is its.
    let mark: InitMark?
    /// Used where the settings cannot be read.
    let fallback: (upstream: String, replication: String, slot: String)

    /// - Parameter root: the container's directory; its files may be damaged.
    package init(root: String, upstream: String, upstreamReplication: String, slot: String) {
        self.root = root
        self.container = try? Container.open(root)
        self.mark = (try? InitMark.read(ContainerPaths(root: root))) ?? nil
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
        if let mark { return mark.claim == nil ? nil : mark.slot }
        if holdsNothing { return nil }
        if let container { return container.slot }
        if !fallback.slot.isEmpty { return fallback.slot }
        return StandardSlot.name(container: FilePath.name(of: root))
    }

    /// An init was killed before it made its mark.
    private var holdsNothing: Bool {
        let names = (try? FileTree.list(root)) ?? []
        return !names.isEmpty && names.allSatisfy { InitPlace.isTrace($0, of: paths) }
    }

    private var replication: String? {
        if let mark { return mark.upstream }
        if let container { return container.upstreamReplication }
        if !fallback.replication.isEmpty { return fallback.replication }
        return fallback.upstream.isEmpty ? nil : StandardReplication.text(fallback.upstream)
    }

    /// An init was killed: what it left running is nobody's, and is stopped.
    private var isHalfMade: Bool {
        FileTree.exists(paths.initMark)
            && [paths.snapshots, paths.clones].allSatisfy { (try? InitPlace.isEmpty($0)) ?? false }
    }

    private func running(clones: [String]) throws -> [String] {
        if let holder = try HeldLock.isHeld(paths.initLock) { return ["\(holder)"] }
        if isHalfMade { return [] }
        let supervisor = try HeldLock.isHeld(paths.supervisorLock)
        let receiver = try HeldLock.isHeld(paths.receiverLock)
        if let supervisor, supervisor.text == Self.work { return ["\(supervisor)"] }
        return [
            supervisor.map { "supervisor (process \($0.pid))" }, receiver.map { "wal_archive (process \($0.pid))" },
        ].compactMap { $0 } + servers(clones: clones)
    }

    private func servers(clones: [String]) -> [String] {
        var found: [String] = []
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

    package static func requireStopped(_ plan: Plan) throws { try requireNone(plan.running) }

    private static func requireNone(_ running: [String]) throws {
        guard running.isEmpty else {
            throw ArchiveError(
                .conflict,
                "the container is in use: \(running.joined(separator: ", "))",
                hint: "'pgarchive clone stop --all' and 'pgarchive container stop' first"
            )
        }
    }

    /// Removes everything but the pool, which root removes afterwards.
    ///
    /// - Returns: what could not be done, in words; the container is gone all the same.
    package func run(progress: Progress) throws -> [String] {
        let locks = try close()
        defer { for lock in locks { lock.release() } }
        let remark = dropSlot(progress)
        try FaultPoint.pass("purge.afterSlot")
        progress.step("removing \(root)")
        try removeFiles()
        return [remark].compactMap { $0 }
    }

    /// From here on nothing starts in it.
    private func close() throws -> [HeldLock] {
        do {
            if isHalfMade || holdsNothing {
                let lock = try HeldLock.acquire(paths.initLock, wait: 0.5, description: Self.work)
                return [lock] + (try HalfMadeContainer(paths: paths).end(for: Self.work))
            }
            var locks = try ContainerClosure.close(paths, for: Self.work)
            let clones = (try? FileTree.list(paths.clones)) ?? []
            if !locks.isEmpty {
                locks += try clones.map { try HeldLock.acquire(paths.cloneLock($0), wait: 0.5, description: Self.work) }
            }
            try Self.requireNone(servers(clones: clones))
            return locks
        } catch let conflict as LockConflict {
            try Self.requireNone([conflict.holder?.description ?? conflict.path])
            throw conflict
        }
    }

    /// May be killed and done again: by what goes last it is still known for a container.
    private func removeFiles() throws {
        let remover = BtrfsDriver()
        // Unlisted first: nothing half removed looks whole.
        for name in (try? FileTree.list(paths.clones)) ?? [] { try? DurableFile.remove(paths.clone(name).record) }
        for name in (try? FileTree.list(paths.snapshots)) ?? [] { try? DurableFile.remove(paths.snapshot(name).record) }
        // Volumes or plain directories: it removes both, on any filesystem.
        let first = [paths.clones, paths.snapshots, paths.standby, paths.walArchive, paths.log]
        for path in first { try remover.deleteVolume(path) }
        try FaultPoint.pass("purge.beforeLast")
        let last = [paths.run, paths.settings, paths.identity, paths.initMark, paths.initLock]
        let others = try FileTree.exists(root) ? FileTree.list(root).map { FilePath.join(root, $0) } : []
        for path in others where !last.contains(path) { try remover.deleteVolume(path) }
        for path in last { try remover.deleteVolume(path) }
        try ContainerDirectory.remove(root)
        removePortsLock()
    }

    /// The lock by which the containers of a home share out ports; the next clone makes it anew.
    private func removePortsLock() {
        let path = ClonePorts.lockPath(home: FilePath.parent(of: root))
        guard FileTree.exists(path), let lock = try? HeldLock.acquire(path, description: Self.work) else {
            return
        }
        try? FileTree.removeFile(path)
        lock.release()
    }

    /// - Returns: why the slot is still there.
    private func dropSlot(_ progress: Progress) -> String? {
        guard let text = slotName, let slot = SlotName(text) else { return nil }
        progress.step("dropping slot '\(slot)'")
        let later = "if it still exists: SELECT pg_drop_replication_slot('\(text)');"
        let connections = ([replication] + [container?.settings.upstream ?? fallback.upstream])
            .compactMap { $0 }.filter { !$0.isEmpty }.compactMap { try? ConnectionString($0) }
        guard !connections.isEmpty else {
            return "the slot '\(text)' was not dropped, since no connection to the upstream is known; \(later)"
        }
        var failure = ""
        for connection in connections {
            do {
                try UpstreamSlots.drop(connection, slot, mark?.claim ?? .made)
                return nil
            } catch {
                // The role of the other connection may still have the right to.
                if failure.isEmpty { failure = error.description }
                if error.kind == .timedOut { break }
            }
        }
        return "the slot '\(text)' was not dropped: \(failure); \(later)"
    }
}
