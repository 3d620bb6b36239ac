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
    ///
    /// What takes the place of its data is made beside it, as an unfinished clone: until the exchange nothing changes.
    package func run(name: String) throws -> Outcome {
        let catalog = CloneCatalog(container)
        _ = try catalog.find(name)
        let change = try ContainerChange.lock(
            container,
            for: "clone reset \(name)",
            waitSeconds: ContainerChange.makersWaitSeconds,
            interruption: interruption
        )
        defer { change.release() }
        try catalog.removeHalfMade()
        let lock = try CloneLock.take(container, name, for: "clone reset")
        defer { lock.release() }
        let record = try catalog.find(name)
        try check(record)
        let wasRunning = CloneServer(container, record).isRunning
        let newName = "\(name.prefix(32)).reset-\(String(UInt32.random(in: .min ... .max), radix: 16))"
        let newLock = try CloneLock.take(container, newName, for: "clone reset")
        defer { newLock.release() }
        let making = CloneMaking(container, progress: progress, interruption: interruption)
        let passwords: [RolePassword]
        do {
            let new = try CloneCreate(container, progress: progress, interruption: interruption)
                .again(record, as: newName) { try requireSource(record) }
            change.release()
            passwords = try setUp(new, making)
            try FaultPoint.pass("clone.beforeReset")
            try interruption?.check()
            try exchange(record, newName)
        } catch {
            change.release()
            making.remove(newName, newLock)
            // Only an exchange that fails comes after its stop.
            let clone = CloneServer(container, (try? catalog.find(name)) ?? record)
            if wasRunning, !clone.isRunning { _ = try? clone.startLocked(.silent, nil) }
            throw Self.unchanged(error, record)
        }
        making.remove(newName, newLock)
        let reset = try catalog.find(name)
        guard wasRunning else { return Outcome(record: reset, passwords: passwords) }
        let started = try CloneServer(container, reset).startLocked(progress, interruption)
        return Outcome(record: try catalog.find(name), started: started, passwords: passwords)
    }

    private static func unchanged(_ error: any Error, _ record: CloneRecord) -> any Error {
        guard let error = error as? ArchiveError, error.code == .failed else { return error }
        return ArchiveError(
            .failed,
            "clone '\(record.name)' was not reset: \(error.what)",
            hint: "it is as it was",
            details: error.details
        )
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

    /// Refuses where what the clone was made of is gone, or the way from there to its moment.
    private func requireSource(_ record: CloneRecord) throws {
        if let branch = record.branch {
            guard let point = try? CloneCatalog(container).find(branch), point.isBranch else {
                throw gone(record, "branch point '\(branch)'")
            }
            return
        }
        guard let snapshot = try? SnapshotCatalog(container).find(record.snapshot), snapshot.redo == record.redo else {
            throw gone(record, "snapshot '\(record.snapshot)'")
        }
        if ReadyImages(container).image(for: record) == nil { try requireWAL(record) }
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

    /// Does in the new data what was done in the clone when it was made; nobody gets in before.
    private func setUp(_ new: CloneRecord, _ making: CloneMaking) throws -> [RolePassword] {
        guard new.setup != nil else { return [] }
        let made = try making.setUp(new, walIsChecked: false)
        progress.step("stopping it")
        guard let server = CloneServer(container, made.record).running else { return made.passwords }
        try server.beginStop(.fast)
        while server.isAlive {
            try interruption?.check()
            try server.pause(milliseconds: 1000, interrupt: interruption?.descriptor)
        }
        return made.passwords
    }

    /// Puts the new data into the place of the old.
    private func exchange(_ record: CloneRecord, _ newName: String) throws {
        let catalog = CloneCatalog(container)
        let (paths, newPaths) = (container.paths.clone(record.name), container.paths.clone(newName))
        let made = try catalog.find(newName, unfinishedToo: true)
        if let server = CloneServer(container, record).running {
            progress.step("stopping clone '\(record.name)'")
            // Nothing of it is kept.
            try server.stop(.immediate, timeoutSeconds: 60)
        }
        var reset = record
        // First: with data that has recovered it means that a check of where that ended is due, which it passes.
        if record.branch == nil, record.state != .created {
            reset.state = .created
            try catalog.save(reset)
        }
        try FaultPoint.pass("clone.beforeExchange")
        do {
            try DurableFile.exchange(paths.root, newPaths.root)
        } catch {
            if reset.state != record.state { try? catalog.save(record) }
            throw error
        }
        // It is reset: what cannot be noted any more, its next start finds out.
        do {
            try FaultPoint.pass("clone.exchanged")
            try DurableFile.syncDirectory(paths.directory)
            try DurableFile.syncDirectory(newPaths.directory)
            RecoveryLog.append(newPaths.recoveryLog, to: paths.recoveryLog)
            guard made.state != reset.state else { return }
            reset.state = made.state
            try catalog.save(reset)
        } catch {
            progress.note("clone '\(record.name)' is reset, and that could not be noted: \(error)")
        }
    }
}
