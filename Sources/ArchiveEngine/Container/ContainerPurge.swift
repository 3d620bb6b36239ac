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
        /// The setting wal.synchronous: commits of the upstream may wait for this archive.
        package var isSynchronous: Bool
        /// Processes that must be stopped first.
        package var running: [String]
    }

    /// What its locks say of it.
    private static let work = "container purge"

    /// What it could not do.
    package struct Remains: Sendable {
        package var remarks: [String] = []
        /// One of them is a slot that may be filling the upstream's disk.
        package var isFinding = false
    }

    let root: String
    let given: PurgedSlot.Given

    /// - Parameter root: the container's directory; its files may be damaged.
    package init(root: String, upstream: String, upstreamReplication: String, slot: String) {
        self.root = root
        self.given = PurgedSlot.Given(upstream: upstream, replication: upstreamReplication, slot: slot)
    }

    private var paths: ContainerPaths { ContainerPaths(root: root) }

    package func plan(pool: String?) throws -> Plan {
        let clones = (try? FileTree.list(paths.clones)) ?? []
        let slot = slot
        return Plan(
            root: root,
            slot: slot.map { "\($0.name)" },
            upstream: slot?.upstream,
            snapshots: (try? FileTree.list(paths.snapshots)) ?? [],
            clones: clones,
            walBytes: (try? FileTree.byteCount(of: paths.walArchive)) ?? 0,
            pool: pool,
            isSynchronous: (try? SettingsFile.read(paths.settings))?.walSynchronous ?? false,
            running: try running(clones: clones)
        )
    }

    private var slot: PurgedSlot? {
        holdsNothing ? nil : PurgedSlot(paths, mark: (try? InitMark.read(paths)) ?? nil, given: given)
    }

    /// An init was killed before it made its mark.
    private var holdsNothing: Bool {
        guard let names = try? FileTree.list(root) else { return false }
        // Without its pool, a container's directory is empty too.
        let isThere = !names.isEmpty || (try? MountTable.isMountPoint(root)) == true
        return isThere && names.allSatisfy { InitPlace.isTrace($0, of: paths) }
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
        for snapshot in (try? FileTree.list(paths.snapshots)) ?? [] {
            if let server = PostgresServer.find(dataDirectory: paths.snapshot(snapshot).readyTree.data) {
                found.append("image of snapshot \(snapshot) (process \(server.pid))")
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
    /// - Parameter force: also when nothing tells which server has the slot.
    /// - Returns: what could not be done, in words; the container is gone all the same.
    package func run(force: Bool, progress: Progress) throws -> Remains {
        let locks = try close()
        defer { for lock in locks { lock.release() } }
        var remains = Remains()
        if let slot {
            progress.step("dropping slot '\(slot.name)'")
            let result = try slot.drop(force: force)
            remains = Remains(remarks: [result.remark].compactMap { $0 }, isFinding: result.isFinding)
        }
        try FaultPoint.pass("purge.afterSlot")
        progress.step("removing \(root)")
        removeJobs(progress)
        try removeFiles()
        return remains
    }

    private func removeJobs(_ progress: Progress) {
        do {
            try Crontab(root: root).remove()
        } catch {
            progress.note("the crontab may still have the container's jobs ('crontab -e' shows them): \(error)")
        }
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
        // The settings, or an init's mark, tell where the slot is to be looked for once more.
        let last = [paths.run, paths.identity, paths.initLock, paths.settings, paths.initMark]
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
}
