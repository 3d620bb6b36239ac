package import ArchiveModel
import Platform
import WALFormat

/// Makes clones: plan, copy, configuration, record.
package struct CloneCreate: Sendable {
    let container: Container
    let progress: Progress

    package init(_ container: Container, progress: Progress = .silent) {
        self.container = container
        self.progress = progress
    }

    /// Makes a clone by a plan; it is not started.
    ///
    /// - Parameter requested: what the user asked for, in their words.
    package func run(name: String, plan: RestorePlan, requested: String) throws -> CloneRecord {
        try checkName(name)
        let lock = try ContainerChange.lock(container, for: "clone create \(name)")
        defer { lock.release() }
        let catalog = CloneCatalog(container)
        try catalog.removeHalfMade()
        try checkFree(name)
        // The plan was made without the lock: its snapshot must still be there, and with the record written it stays.
        let snapshot = try SnapshotCatalog(container).find(plan.snapshot)

        var record = try ClonePorts.withLock(container) { port in
            let record = CloneRecord(
                name: name,
                snapshot: snapshot.name,
                createdAt: PostgresTime(unixMicroseconds: SystemClock.now()),
                state: .creating,
                port: port,
                requested: requested,
                redo: plan.redo,
                path: plan.path,
                stop: plan.stop,
                lastTransactionTime: plan.lastTransactionTime,
                parameters: plan.parameters
            )
            try FileTree.makeDirectory(container.paths.clone(name).directory, mode: 0o700, parents: true)
            try catalog.save(record)
            return record
        }
        do {
            progress.step("copying snapshot '\(snapshot.name)' (\(container.identity.driver.rawValue))")
            let paths = container.paths.clone(name)
            try FaultPoint.pass("clone.beforeCopy")
            try container.driver.copyVolume(
                from: container.paths.snapshot(snapshot.name).root,
                to: paths.root,
                options: CopyOptions()
            )
            try CloneTree.prepare(paths.tree, keepsWAL: false)
            try CloneConfiguration(container: container, record: record).writeFiles()
            try FaultPoint.pass("clone.beforeRecord")
            if !container.driver.isAtomic { try container.driver.sync(paths.root) }
            record.state = .created
            try catalog.save(record)
            return record
        } catch {
            try? catalog.removeTree(name)
            throw error
        }
    }

    /// Copies a clone as it is now, under a port of its own.
    ///
    /// The source is not touched.
    package func duplicate(source sourceName: String, name: String) throws -> CloneRecord {
        try checkName(name)
        let lock = try ContainerChange.lock(container, for: "clone duplicate \(sourceName)")
        defer { lock.release() }
        let catalog = CloneCatalog(container)
        try catalog.removeHalfMade()
        let source = try catalog.find(sourceName)
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
        var record = try ClonePorts.withLock(container) { port in
            var record = source
            record.name = name
            record.duplicateOf = sourceName
            record.createdAt = PostgresTime(unixMicroseconds: SystemClock.now())
            record.port = port
            record.state = .creating
            try FileTree.makeDirectory(container.paths.clone(name).directory, mode: 0o700, parents: true)
            try catalog.save(record)
            return record
        }
        do {
            let paths = container.paths.clone(name)
            try container.driver.copyVolume(from: sourcePaths.root, to: paths.root, options: CopyOptions())
            try CloneTree.prepare(paths.tree, keepsWAL: !FileTree.exists(sourcePaths.tree.standbySignal))
            try CloneConfiguration(container: container, record: record).copyFiles(from: sourcePaths)
            if !container.driver.isAtomic { try container.driver.sync(paths.root) }
            record.state = source.state
            try catalog.save(record)
            return record
        } catch {
            try? catalog.removeTree(name)
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
