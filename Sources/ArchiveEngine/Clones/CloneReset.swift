package import ArchiveModel
import Platform
import PostgresLink
import WALFormat
import WALStore

/// Takes a clone back to what it was made of: a new copy takes the place of its data at once.
package struct CloneReset: Sendable {
    let container: Container
    let progress: Progress
    let interruption: Interruption?

    package init(_ container: Container, progress: Progress = .silent, interruption: Interruption? = nil) {
        self.container = container
        self.progress = progress
        self.interruption = interruption
    }

    /// What a reset led to; `started` is nil when the clone was not running.
    package struct Outcome: Sendable {
        package var record: CloneRecord
        package var started: CloneServer.Started?
        package var passwords: [RolePassword] = []
    }

    /// The clone keeps its name, port and settings, and is started again when it was running.
    package func run(name: String) throws -> Outcome {
        let catalog = CloneCatalog(container)
        _ = try catalog.find(name)
        let change = try ContainerChange.lock(container, for: "clone reset \(name)", interruption: interruption)
        defer { change.release() }
        // Also what an earlier reset of it left: this one needs the place.
        try catalog.removeHalfMade { if $0 == name { throw $1 } }
        let lock = try CloneLock.take(container, name, for: "clone reset")
        defer { lock.release() }
        let record = try catalog.find(name)
        try check(record)
        let wasRunning = CloneServer(container, record).isRunning
        let reset = try exchange(record, try source(of: record))
        change.release()
        guard wasRunning || reset.isUnfinished else { return Outcome(record: reset) }
        guard reset.isUnfinished else {
            let started = try CloneServer(container, reset).startLocked(progress, interruption)
            return Outcome(record: try catalog.find(name), started: started)
        }
        let making = CloneMaking(container, progress: progress, interruption: interruption)
        do {
            let made = try making.bringUp(reset, walIsChecked: false)
            return Outcome(record: made.record, started: made.started, passwords: made.passwords)
        } catch {
            // Its data without what was to be done in it is for nobody.
            making.remove(reset, lock)
            guard let error = error as? ArchiveError, error.code != .interrupted else { throw error }
            throw ArchiveError(error.code, error.what, hint: "nothing is left of the clone", details: error.details)
        }
    }

    private func check(_ record: CloneRecord) throws {
        try CloneProtection.require(record, for: "reset")
        // What its start would refuse is refused while nothing is done yet.
        if record.isReachable { try CloneReach(container, record).requireSafe() }
        guard record.isLook || record.isBranch else { return }
        throw ArchiveError(
            .refused,
            record.isLook ? "'\(record.name)' is a throwaway server" : "'\(record.name)' is a branch point",
            hint: "only clones are reset"
        )
    }

    // MARK: - Where it comes from

    /// The tree to copy, and whether it has recovered.
    private func source(of record: CloneRecord) throws -> (root: String, isRecovered: Bool) {
        if let branch = record.branch {
            guard let point = try? CloneCatalog(container).find(branch), point.isBranch else {
                throw gone(record, "branch point '\(branch)'")
            }
            return (container.paths.clone(branch).root, true)
        }
        guard let snapshot = try? SnapshotCatalog(container).find(record.snapshot), snapshot.redo == record.redo else {
            throw gone(record, "snapshot '\(record.snapshot)'")
        }
        try requireWAL(record)
        return (container.paths.snapshot(snapshot.name).root, false)
    }

    private func gone(_ record: CloneRecord, _ what: String) -> ArchiveError {
        ArchiveError(
            .refused,
            "\(what), of which clone '\(record.name)' was made, is no longer there",
            hint: "'pgarchive clone snapshot' keeps a clone's state for as long as you like"
        )
    }

    /// It was expired, perhaps, once the clone no longer needed it.
    private func requireWAL(_ record: CloneRecord) throws {
        let size = container.segmentSize
        let directory = container.walDirectory
        var position = size.segmentStart(of: record.redo)
        while position < record.stop {
            try interruption?.check()
            let end = min(size.segmentEnd(of: position), record.stop)
            // Where a timeline ends, the next one's segment holds its WAL too.
            let names = [LSN(end.rawValue &- 1), position].map {
                SegmentName(timeline: record.path.timeline(at: $0), containing: position, size: size)
            }
            let isThere = try names.contains { name in
                try directory.locate(name) != nil || RestoreProgram(container)?.bringBack(name) ?? false
            }
            guard isThere else {
                throw ArchiveError(
                    .refused,
                    "clone '\(record.name)' cannot recover again: segment \(names[0]) is no longer in the archive",
                    hint: "'pgarchive clone snapshot' keeps a clone's state for as long as you like"
                )
            }
            position = size.segmentEnd(of: position)
        }
    }

    // MARK: - The exchange

    private func exchange(
        _ record: CloneRecord,
        _ source: (root: String, isRecovered: Bool)
    ) throws -> CloneRecord {
        let paths = container.paths.clone(record.name)
        do {
            progress.step("copying \(record.branch.map { "branch point '\($0)'" } ?? "snapshot '\(record.snapshot)'")")
            try container.driver.copyVolume(
                from: source.root,
                to: paths.newRoot,
                options: CopyOptions(interrupt: interruption?.descriptor ?? -1)
            )
            try CloneTree.prepare(paths.newTree, for: record, keepsWAL: source.isRecovered)
            if !container.driver.isAtomic { try container.driver.sync(paths.newRoot) }
            try FaultPoint.pass("clone.beforeReset")
            try interruption?.check()
        } catch {
            try? container.driver.deleteVolume(paths.newRoot)
            try interruption?.check()
            throw error
        }
        if let server = CloneServer(container, record).running {
            progress.step("stopping clone '\(record.name)'")
            // Nothing of it is kept.
            try server.stop(.immediate, timeoutSeconds: 60)
        }
        var reset = record
        // First: with the old data it means that a check of where its recovery ended is due, which it passes.
        reset.state = source.isRecovered ? .recovered : .created
        // What is done in it again is done before anybody may connect.
        let needsSetup = !(record.setup?.isEmpty ?? true)
        reset.unfinished = needsSetup ? true : nil
        if needsSetup { try CloneConfiguration(container: container, record: reset).closeAccess() }
        try CloneCatalog(container).save(reset)
        try FaultPoint.pass("clone.beforeExchange")
        try DurableFile.exchange(paths.root, paths.newRoot)
        try DurableFile.syncDirectory(paths.directory)
        try FaultPoint.pass("clone.exchanged")
        // The reset is done; what is left of the old data is removed by whoever comes by next.
        try? container.driver.deleteVolume(paths.newRoot)
        return reset
    }
}
