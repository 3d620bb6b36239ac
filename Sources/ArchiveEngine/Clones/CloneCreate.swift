package import ArchiveModel
import Platform
package import WALFormat

/// Makes clones: plan, copy, configuration, record.
package struct CloneCreate: Sendable {
    let container: Container
    let progress: Progress
    let interruption: Interruption?

    package init(_ container: Container, progress: Progress = .silent, interruption: Interruption? = nil) {
        self.container = container
        self.progress = progress
        self.interruption = interruption
    }

    /// Makes a clone by a plan; it is not started.
    ///
    /// - Parameters:
    ///   - requested: what the user asked for, in their words.
    ///   - keptUntil: makes it a look.
    package func run(
        name: String,
        plan: RestorePlan,
        requested: String,
        keptUntil: PostgresTime? = nil
    ) throws -> CloneRecord {
        try checkName(name)
        let lock = try ContainerChange.lock(container, for: "clone create \(name)", interruption: interruption)
        defer { lock.release() }
        let catalog = CloneCatalog(container)
        try catalog.removeHalfMade()
        try checkFree(name)
        // The plan was made without the lock: its snapshot must still be there, and with the record written it stays.
        let snapshot = try SnapshotCatalog(container).find(plan.snapshot)

        var record = CloneRecord(
            name: name,
            snapshot: snapshot.name,
            createdAt: PostgresTime(unixMicroseconds: SystemClock.now()),
            state: .creating,
            port: 0,
            requested: requested,
            targetTime: plan.targetTime,
            redo: plan.redo,
            path: plan.path,
            stop: plan.stop,
            lastTransactionTime: plan.lastTransactionTime,
            parameters: plan.parameters,
            keptUntil: keptUntil
        )
        record = try reserve(record)
        progress.step("copying snapshot '\(snapshot.name)' (\(container.identity.driver.rawValue))")
        return try fill(record, from: container.paths.snapshot(snapshot.name).root, state: .created) { paths in
            try CloneTree.prepare(paths.tree, keepsWAL: false)
            try CloneConfiguration(container: container, record: record).writeFiles()
        }
    }

    /// Copies a clone as it is now, under a port of its own.
    ///
    /// The source is not touched.
    package func duplicate(source sourceName: String, name: String) throws -> CloneRecord {
        try checkName(name)
        let lock = try ContainerChange.lock(container, for: "clone duplicate \(sourceName)", interruption: interruption)
        defer { lock.release() }
        let catalog = CloneCatalog(container)
        try catalog.removeHalfMade()
        _ = try catalog.find(sourceName)
        // Nobody starts, stops or deletes the source meanwhile.
        let sourceLock = try CloneLock.take(container, sourceName, for: "clone duplicate")
        defer { sourceLock.release() }
        let source = try catalog.find(sourceName)
        guard !source.isLook else {
            throw ArchiveError(
                .refused,
                "'\(sourceName)' is a throwaway server",
                hint: "'pgarchive clone create \(name) --lsn \(source.stop) --exclusive' makes a clone of its moment"
            )
        }
        try checkFree(name)
        let sourcePaths = container.paths.clone(sourceName)
        let isRunning = CloneServer(container, source).isRunning
        if isRunning, !container.driver.isAtomic {
            throw ArchiveError(
                .refused,
                "clone '\(sourceName)' is running, and the \(container.identity.driver.rawValue) driver cannot copy it "
                    + "in one moment",
                hint: "'pgarchive clone stop \(sourceName)' first"
            )
        }
        if isRunning, FileTree.exists(sourcePaths.tree.standbySignal) {
            throw ArchiveError(
                .refused,
                "clone '\(sourceName)' is still recovering",
                hint: "wait until it is ready, or stop it first"
            )
        }
        var record = source
        record.name = name
        record.duplicateOf = sourceName
        record.createdAt = PostgresTime(unixMicroseconds: SystemClock.now())
        record.state = .creating
        record = try reserve(record)
        return try fill(record, from: sourcePaths.root, state: source.state) { paths in
            try CloneTree.prepare(paths.tree, keepsWAL: !FileTree.exists(sourcePaths.tree.standbySignal))
            try CloneConfiguration(container: container, record: record).copyFiles(from: sourcePaths)
        }
    }

    /// Lays the clone's directory with its record, which now protects its snapshot, and gives it a port.
    private func reserve(_ record: CloneRecord) throws -> CloneRecord {
        try ClonePorts.withLock(container) { port in
            var record = record
            record.port = port
            try FileTree.makeDirectory(container.paths.clone(record.name).directory, mode: 0o700, parents: true)
            try DurableFile.syncDirectory(container.paths.clones)
            try FaultPoint.pass("clone.laid")
            try CloneCatalog(container).save(record)
            return record
        }
    }

    /// Copies the tree, and lists the clone once all of it is there and durable; nothing is left of one that fails.
    private func fill(
        _ reserved: CloneRecord,
        from source: String,
        state: CloneRecord.State,
        finish: (ClonePaths) throws -> Void
    ) throws -> CloneRecord {
        let catalog = CloneCatalog(container)
        let paths = container.paths.clone(reserved.name)
        var record = reserved
        do {
            try FaultPoint.pass("clone.beforeCopy")
            try container.driver.copyVolume(
                from: source,
                to: paths.root,
                options: CopyOptions(interrupt: interruption?.descriptor ?? -1)
            )
            try FaultPoint.pass("clone.copied")
            try finish(paths)
            try FaultPoint.pass("clone.beforeRecord")
            if !container.driver.isAtomic { try container.driver.sync(paths.root) }
            try interruption?.check()
            record.state = state
            try catalog.save(record)
            try FaultPoint.pass("clone.afterRecord")
            return record
        } catch {
            try? catalog.removeTree(reserved.name)
            try interruption?.check()
            throw error
        }
    }

    private func checkName(_ name: String) throws {
        try Name.check(name, what: "clone")
    }

    private func checkFree(_ name: String) throws {
        guard !FileTree.exists(container.paths.clone(name).directory) else {
            throw ArchiveError(
                .conflict,
                "there is a clone '\(name)' already",
                hint: "give another name, or 'pgarchive clone delete \(name)'"
            )
        }
    }
}
