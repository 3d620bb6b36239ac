package import ArchiveModel
import Platform
import PostgresLink

/// Makes a clone, starts it, and does in it what was asked for, before anybody else may connect.
///
/// Of one that does not come up, or in which that fails, nothing is left.
package struct CloneMaking: Sendable {
    let container: Container
    let progress: Progress
    let interruption: Interruption?

    package init(_ container: Container, progress: Progress = .silent, interruption: Interruption? = nil) {
        self.container = container
        self.progress = progress
        self.interruption = interruption
    }

    package struct Made: Sendable {
        package var record: CloneRecord
        package var started: CloneServer.Started
        /// Nobody can find them out later.
        package var passwords: [RolePassword]
    }

    /// - Parameter make: makes the clone by these terms, and does not start it.
    package func run(
        name: String,
        terms: CloneTerms,
        walIsChecked: Bool,
        make: (CloneCreate, CloneTerms) throws -> CloneRecord
    ) throws -> Made {
        try Name.check(name, what: "clone")
        try removeHalfMade(name)
        let isNew = !FileTree.exists(container.paths.clone(name).directory)
        // From the first moment on: without it what is unfinished is removed by whoever comes by.
        let lock = try CloneLock.take(container, name, for: "clone create")
        defer { lock.release() }
        var terms = terms
        terms.isUnfinished = true
        let record: CloneRecord
        do {
            record = try make(CloneCreate(container, progress: progress, interruption: interruption), terms)
        } catch {
            if isNew, !FileTree.exists(container.paths.clone(name).directory) { CloneLock.remove(lock) }
            throw error
        }
        do {
            return try bringUp(record, walIsChecked: walIsChecked)
        } catch {
            remove(name, lock)
            throw Self.withoutClone(error, record)
        }
    }

    /// Removes what a killed command left under this name: later the lock that is taken for it here would keep it.
    private func removeHalfMade(_ name: String) throws {
        guard FileTree.exists(container.paths.clone(name).directory) else { return }
        let change = try ContainerChange.lock(
            container,
            for: "clone create \(name)",
            waitSeconds: ContainerChange.makersWaitSeconds,
            interruption: interruption
        )
        defer { change.release() }
        try CloneCatalog(container).removeHalfMade()
    }

    /// Starts a clone whose making has not ended, and ends it.
    private func bringUp(_ record: CloneRecord, walIsChecked: Bool) throws -> Made {
        var made = try setUp(record, walIsChecked: walIsChecked)
        if made.record.setup != nil {
            try CloneConfiguration(container: container, record: made.record).openAccess()
            try CloneServer(container, made.record).reload()
        }
        try interruption?.check()
        if made.record.isUnfinished {
            made.record.unfinished = nil
            try CloneCatalog(container).save(made.record)
        }
        return made
    }

    /// Starts a clone whose making has not ended, and does in it what was asked for; nobody else gets in yet.
    func setUp(_ record: CloneRecord, walIsChecked: Bool) throws -> Made {
        let started = try CloneServer(container, record, walIsChecked: walIsChecked).startLocked(progress, interruption)
        let ready = try CloneCatalog(container).find(record.name, unfinishedToo: true)
        let work = CloneSetupWork(container, ready, progress: progress, interruption: interruption)
        return Made(record: ready, started: started, passwords: try ready.setup.map { try work.run($0) } ?? [])
    }

    /// What cannot be removed now is removed by whoever comes by next.
    func remove(_ name: String, _ lock: HeldLock) {
        let paths = container.paths.clone(name)
        guard FileTree.exists(paths.directory) else { return CloneLock.remove(lock) }
        try? PostgresServer.find(dataDirectory: paths.tree.data)?.stop(.immediate, timeoutSeconds: 30)
        guard let change = try? ContainerChange.lock(container, for: "clone delete \(name)") else { return }
        defer { change.release() }
        try? CloneDelete(container).remove(name, lock)
    }

    /// The reason, without advice to look at what is gone.
    private static func withoutClone(_ error: any Error, _ record: CloneRecord) -> any Error {
        guard let error = error as? ArchiveError, error.code != .interrupted else { return error }
        return ArchiveError(
            error.code,
            error.what,
            hint: record.setup == nil
                ? "nothing is left of the clone; made without --start it stays, with its log and its settings to edit"
                : "nothing is left of the clone",
            details: error.details
        )
    }
}
