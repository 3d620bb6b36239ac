package import ArchiveModel
import Platform
import PostgresLink
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
        keptUntil: PostgresTime? = nil,
        terms: CloneTerms = CloneTerms()
    ) throws -> CloneRecord {
        try checkName(name)
        let lock = try ContainerChange.lock(
            container,
            for: "clone create \(name)",
            waitSeconds: ContainerChange.makersWaitSeconds,
            interruption: interruption
        )
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
        if !record.isLook { terms.apply(to: &record, container) }
        record.holds(plan)
        return try withReserved(record) { record in
            // Its record keeps its snapshot, and its maker's lock on it everybody else away: others may copy beside it.
            if record.isUnfinished { lock.release() }
            return try fill(record) { try $0.writeFiles(terms) }
        }
    }

    /// Makes once more what a clone was made as, with its settings, under another name and to be started by its maker
    /// only; with the change lock held, and the clone's.
    ///
    /// - Parameter requireSource: throws where that is not possible any more.
    func again(_ record: CloneRecord, as name: String, requireSource: () throws -> Void) throws -> CloneRecord {
        try requireSource()
        var new = record
        new.name = name
        new.createdAt = .current
        new.state = .creating
        new.unfinished = true
        // Nobody reaches it, with its access closed.
        new.reachable = nil
        let original = container.paths.clone(record.name)
        let needsServer = !(record.setup?.isEmpty ?? true)
        if !needsServer { new.setup = nil }
        func copyFiles(_ configuration: CloneConfiguration) throws {
            try configuration.copyFiles(from: original)
            if needsServer { try configuration.closeAccess() }
        }
        return try withReserved(new, port: needsServer ? nil : 0) { new in
            guard let branch = record.branch else {
                return try fill(new, requireSource: requireSource, files: copyFiles)
            }
            progress.step("copying branch point '\(branch)' (\(container.identity.driver.rawValue))")
            return try fill(new, from: container.paths.clone(branch).root, state: .recovered) { paths in
                try CloneTree.prepare(paths.tree, for: new, keepsWAL: true)
                try copyFiles(CloneConfiguration(container: container, record: new))
            }
        }
    }

    /// Copies the snapshot's image where there is one of the clone's moment, else the snapshot.
    ///
    /// - Parameters:
    ///   - requireSource: asked again when the image turns out to be gone.
    ///   - files: writes the clone's files.
    private func fill(
        _ record: CloneRecord,
        requireSource: () throws -> Void = {},
        files: (CloneConfiguration) throws -> Void
    ) throws -> CloneRecord {
        if let image = ReadyImages(container).image(for: record) {
            do {
                return try fill(record, from: image, files)
            } catch {
                try interruption?.check()
                guard !isThere(image) else { throw error }
                progress.note("the image of snapshot '\(record.snapshot)' has just been removed")
                try requireSource()
                let root = container.paths.clone(record.name).root
                if FileTree.exists(root) { try container.driver.deleteVolume(root) }
            }
        }
        progress.step("copying snapshot '\(record.snapshot)' (\(container.identity.driver.rawValue))")
        return try fill(record, from: container.paths.snapshot(record.snapshot).root, state: .created) { paths in
            try CloneTree.prepare(paths.tree, for: record, keepsWAL: false)
            try files(CloneConfiguration(container: container, record: record))
        }
    }

    private func fill(
        _ record: CloneRecord,
        from image: ReadyImage,
        _ files: (CloneConfiguration) throws -> Void
    ) throws -> CloneRecord {
        let driver = container.identity.driver.rawValue
        progress.step("copying the image of snapshot '\(record.snapshot)' (\(driver))")
        let source = container.paths.snapshot(record.snapshot).readyRoot
        // A look is started once only, and that is noted when it was; and a first start detaches subscriptions.
        let isReady = !record.isLook && image.hasSubscriptions == false
        return try fill(record, from: source, state: isReady ? .recovered : .created) { paths in
            // Images are removed without the change lock, their records first: such a copy may not be whole.
            guard isThere(image) else {
                throw ArchiveError(
                    .failed,
                    "the image of snapshot '\(record.snapshot)' was removed while it was copied",
                    hint: "try again"
                )
            }
            try CloneTree.prepare(paths.tree, for: record, keepsWAL: true)
            try files(CloneConfiguration(container: container, record: record, hasRecovered: true))
            RecoveryLog(path: paths.recoveryLog, record: record).tookImage(image)
            progress.note(RecoveryLog.ending(record))
        }
    }

    /// Whether a snapshot's image is still the one that was read.
    private func isThere(_ image: ReadyImage) -> Bool {
        ReadyImages(container).image(of: image.plan.snapshot)?.madeAt == image.madeAt
    }

    /// Copies a clone as it is now, under a port of its own.
    ///
    /// The source is not touched.
    /// - Parameters:
    ///   - terms: nil leaves what is said of the source, but its protection, and a time that is over.
    ///   - change: what else is said of the copy from the first moment on.
    package func duplicate(
        source: String,
        name: String,
        terms: CloneTerms? = nil,
        change: CloneChange = CloneChange()
    ) throws -> CloneRecord {
        try copy(source, name, for: "clone duplicate", terms, change)
    }

    /// Makes a branch point of a clone as it is now: never started, for clones to be made of.
    package func branch(source: String, name: String, terms: CloneTerms) throws -> CloneRecord {
        if (try? SnapshotCatalog(container).find(name)) != nil {
            throw ArchiveError(.conflict, "there is a snapshot '\(name)' already", hint: "give another name")
        }
        return try copy(source, name, for: "clone snapshot", terms, isBranch: true)
    }

    private func copy(
        _ sourceName: String,
        _ name: String,
        for work: String,
        _ terms: CloneTerms?,
        _ change: CloneChange = CloneChange(),
        isBranch: Bool = false
    ) throws -> CloneRecord {
        try checkName(name)
        let lock = try ContainerChange.lock(
            container,
            for: "\(work) \(sourceName)",
            waitSeconds: ContainerChange.makersWaitSeconds,
            interruption: interruption
        )
        defer { lock.release() }
        let catalog = CloneCatalog(container)
        try catalog.removeHalfMade()
        _ = try catalog.find(sourceName)
        // Nobody starts, stops or deletes the source meanwhile.
        let sourceLock = try CloneLock.take(container, sourceName, for: work)
        defer { sourceLock.release() }
        let source = try catalog.find(sourceName)
        try checkFree(name)
        let sourcePaths = container.paths.clone(sourceName)
        try checkCopy(of: source, isBranch: isBranch)
        var record = source
        record.name = name
        record.duplicateOf = source.isBranch ? nil : sourceName
        record.branch = source.isBranch ? sourceName : source.branch
        record.createdAt = .current
        record.state = .creating
        record.protected = nil
        CloneTerms.renewExpiry(of: &record, container)
        if let terms { terms.apply(to: &record, container) }
        change.apply(to: &record, container)
        if source.isBranch || isBranch {
            // What was done in the source is in the copy.
            record.requested = source.isBranch ? "branch point \(sourceName)" : "clone \(sourceName)"
            record.targetTime = nil
        }
        if isBranch { record.branch = nil }
        let state = isBranch ? CloneRecord.State.branch : source.isBranch ? .recovered : source.state
        return try withReserved(record, port: isBranch ? 0 : nil) { record in
            try fill(record, from: sourcePaths.root, state: state) { paths in
                let keepsWAL = !FileTree.exists(sourcePaths.tree.standbySignal)
                try CloneTree.prepare(paths.tree, for: record, keepsWAL: keepsWAL)
                try CloneConfiguration(container: container, record: record)
                    .copyFiles(from: sourcePaths, terms, keepsAccess: record.isReachable == source.isReachable)
                if isBranch { try container.driver.freeze(paths.root) }
            }
        }
    }

    private func checkCopy(of source: CloneRecord, isBranch: Bool) throws {
        let sourcePaths = container.paths.clone(source.name)
        guard !source.isLook else {
            throw ArchiveError(
                .refused,
                "'\(source.name)' is a throwaway server",
                hint: "'pgarchive clone create NAME --lsn \(source.stop) --exclusive' makes a clone of its moment"
            )
        }
        let server = CloneServer(container, source)
        if server.isRunning, !container.driver.isAtomic {
            throw ArchiveError(
                .refused,
                "clone '\(source.name)' is running, and the \(container.identity.driver.rawValue) driver cannot copy "
                    + "it in one moment",
                hint: "'pgarchive clone stop \(source.name)' first"
            )
        }
        if server.isRunning, FileTree.exists(sourcePaths.tree.standbySignal) {
            throw ArchiveError(
                .refused,
                "clone '\(source.name)' is still recovering",
                hint: "wait until it is ready, or stop it first"
            )
        }
        guard isBranch, !source.isBranch else { return }
        guard source.state == .recovered else {
            throw ArchiveError(
                .refused,
                "clone '\(source.name)' has not been started yet: it holds nothing that its snapshot has not",
                hint: "'pgarchive clone start \(source.name)' first"
            )
        }
        guard server.isRunning else { return }
        // So that what is made of it has little to recover; it can do without.
        progress.step("writing a checkpoint in clone '\(source.name)'")
        guard let connection = try? LocalLink.connect(container: container, port: source.port) else { return }
        try? connection.execute("CHECKPOINT", interrupt: interruption?.descriptor ?? -1)
        connection.close()
        try interruption?.check()
    }

    /// Lays the clone's directory with its record, which now protects its snapshot, and gives it a port; nothing is
    /// left of one that cannot be made.
    ///
    /// - Parameter port: nil for one that is free.
    private func withReserved(
        _ record: CloneRecord,
        port: Int? = nil,
        _ make: (CloneRecord) throws -> CloneRecord
    ) throws -> CloneRecord {
        do {
            let reserved = try port.map { try reserve(record, port: $0) }
            return try make(try reserved ?? ClonePorts.withLock(container) { try reserve(record, port: $0) })
        } catch {
            try? CloneCatalog(container).removeTree(record.name)
            try interruption?.check()
            throw error
        }
    }

    private func reserve(_ record: CloneRecord, port: Int) throws -> CloneRecord {
        var record = record
        record.port = port
        let paths = container.paths.clone(record.name)
        try FileTree.makeDirectory(paths.directory, mode: 0o700, parents: true)
        try FaultPoint.pass("clone.laid")
        if !record.isLook { try FileTree.replace(paths.making, text: "") }
        try CloneCatalog(container).save(record)
        return record
    }

    /// Copies the tree, and notes that all of it is there.
    private func fill(
        _ reserved: CloneRecord,
        from source: String,
        state: CloneRecord.State,
        finish: (ClonePaths) throws -> Void
    ) throws -> CloneRecord {
        let paths = container.paths.clone(reserved.name)
        try FaultPoint.pass("clone.beforeCopy")
        try container.driver.copyVolume(
            from: source,
            to: paths.root,
            options: CopyOptions(interrupt: interruption?.descriptor ?? -1)
        )
        try FaultPoint.pass("clone.copied")
        try finish(paths)
        try FaultPoint.pass("clone.beforeRecord")
        if !container.driver.isAtomic, !reserved.isLook { try container.driver.sync(paths.root) }
        try interruption?.check()
        var record = reserved
        record.state = state
        try CloneCatalog(container).save(record)
        try FaultPoint.pass("clone.afterRecord")
        return record
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
