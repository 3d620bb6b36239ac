package import ArchiveModel
import Platform
import PostgresLink

/// The clones of a container.
package struct CloneCatalog: Sendable {
    let container: Container

    package init(_ container: Container) {
        self.container = container
    }

    package func contents() throws -> RecordListing<CloneRecord> {
        var contents = try RecordListing<CloneRecord>(container.paths.clones) { container.paths.clone($0).record }
        // Their files are not synced: what cannot be read was lost with its host, and so was its server.
        let lost = contents.damaged.filter { $0.isTorn && isNotSynced($0.name) }.map(\.name)
        contents.damaged.removeAll { lost.contains($0.name) }
        contents.recordless += lost
        return contents
    }

    private func isNotSynced(_ name: String) -> Bool {
        let paths = container.paths.clone(name)
        return FileTree.exists(container.paths.lookLease(name))
            || FileTree.exists(paths.making) && PostgresServer.find(dataDirectory: paths.tree.data) == nil
    }

    /// Every clone, whatever its state; an error when the record of one cannot be read, as it may need anything.
    package func all() throws -> [CloneRecord] {
        let contents = try contents()
        if let damaged = contents.damaged.first {
            throw ArchiveError(
                .failed,
                "it is unknown what clone '\(damaged.name)' needs: \(damaged.problem)",
                hint: "'pgarchive clone delete \(damaged.name)' removes it"
            )
        }
        return contents.records
    }

    /// The clones that users see: those whose copy is complete and whose record can be read.
    package func listed() throws -> [CloneRecord] {
        try contents().records.filter { $0.state.isMade && !$0.isUnfinished }
    }

    /// - Parameter unfinishedToo: also one whose making has not ended, for those who make or remove it.
    package func find(_ name: String, unfinishedToo: Bool = false) throws -> CloneRecord {
        if Name.fault(name) == nil,
            let record = try JSONFile.read(CloneRecord.self, from: container.paths.clone(name).record),
            record.state.isMade || record.state == .creating && record.isUnfinished
        {
            guard record.isUnfinished, !unfinishedToo else { return record }
            let maker = try HeldLock.isHeld(container.paths.cloneLock(name))
            throw ArchiveError(
                .conflict,
                "clone '\(name)' is still being made" + (maker.map { ", by process \($0.pid)" } ?? ""),
                hint: maker == nil
                    ? "whoever made it is gone: 'pgarchive clone delete \(name)' removes what is left"
                    : "wait until that has ended"
            )
        }
        let known = try listed().map(\.name)
        throw ArchiveError(
            .notFound,
            "there is no clone '\(name)'",
            hint: Spelling.nearest(to: name, among: known).map { "did you mean '\($0)'?" }
                ?? "'pgarchive clone list' shows what is there"
        )
    }

    package func matching(_ pattern: String?) throws -> [CloneRecord] {
        try listed().filter { record in pattern.map { Glob.matches($0, record.name) } ?? true }
    }

    /// The names that exact names and patterns mean, each once; a pattern that matches none is an error.
    package func names(matching words: [String]) throws -> [String] {
        let contents = try contents()
        // Also what a delete can still clear away: half-made ones, and those whose record cannot be read.
        let known = contents.records.map(\.name) + contents.damaged.map(\.name) + contents.recordless
        var names: [String] = []
        for word in words {
            if !Glob.isPattern(word), !known.contains(word) { _ = try find(word) }
            let found = Glob.isPattern(word) ? try matching(word).map(\.name) : [word]
            if found.isEmpty {
                throw ArchiveError(
                    .notFound,
                    "no clone matches '\(word)'",
                    hint: "'pgarchive clone list' shows what is there"
                )
            }
            names += found.filter { !names.contains($0) }
        }
        return names
    }

    /// Puts a clone's record in its place: durably, with what stands beside it, once the clone is made.
    func save(_ record: CloneRecord) throws {
        let paths = container.paths.clone(record.name)
        if record.isWithoutSync { return try JSONFile.put(paths.record, with: record) }
        if FileTree.exists(paths.making) { try syncFiles(paths) }
        try JSONFile.replace(paths.record, with: record)
        try FileTree.removeFile(paths.making)
    }

    /// Syncs what stands beside a clone in the making; what changes after that is synced when it is made.
    func beginSync(of record: CloneRecord) throws {
        let paths = container.paths.clone(record.name)
        if FileTree.exists(paths.making) { try syncFiles(paths) }
    }

    /// What was laid beside the tree; an empty file may be lost and is empty again.
    private func syncFiles(_ paths: ClonePaths) throws {
        for name in try FileTree.list(paths.directory) {
            let path = "\(paths.directory)/\(name)"
            do {
                guard path != paths.record, try FileTree.kind(path) == .regular, try FileTree.size(path) > 0 else {
                    continue
                }
                try DurableFile.syncFile(path)
            } catch {
                // A sign of the fetch's, or an editor's file.
                guard error.isNotFound else { throw error }
            }
        }
        try DurableFile.syncDirectory(container.paths.clones)
    }

    /// Removes what interrupted commands left behind, with the change lock held: what is being made has either that
    /// lock or its own.
    ///
    /// - Parameter failed: told of a made clone's remains that cannot be removed now; they are in nobody else's way.
    /// - Returns: the names of what was removed.
    @discardableResult
    func removeHalfMade(failed: (String, any Error) throws -> Void = { _, _ in }) throws -> [String] {
        let contents = try contents()
        // A maker that clears away what it could not make has removed its record before its directory.
        var names = contents.recordless.filter { !CloneLock.isHeld(container, $0) }
        names += contents.records.filter { $0.state == .deleting || $0.state == .creating && !$0.isUnfinished }
            .map(\.name)
        for name in names { try removeTree(name) }
        for record in contents.records where record.state != .deleting {
            do {
                if record.isUnfinished {
                    if try removeUnfinished(record.name) { names.append(record.name) }
                } else if record.state.isMade {
                    // Its maker was killed in its very last step.
                    try FileTree.removeFile(container.paths.clone(record.name).making)
                }
            } catch {
                try failed(record.name, error)
            }
        }
        return names
    }

    /// Removes a clone whose maker has been killed; its server may have been left behind.
    ///
    /// - Returns: false when somebody is at work on it, or it is gone.
    private func removeUnfinished(_ name: String) throws -> Bool {
        guard let lock = try? CloneLock.take(container, name, for: "removing the unfinished clone", waitSeconds: 0)
        else { return false }
        defer { lock.release() }
        let record = try JSONFile.read(CloneRecord.self, from: container.paths.clone(name).record)
        guard let record else {
            CloneLock.remove(lock)
            return false
        }
        guard record.isUnfinished else { return false }
        try PostgresServer.find(dataDirectory: container.paths.clone(name).tree.data)?
            .stop(.immediate, timeoutSeconds: 30)
        try CloneDelete(container).remove(name, lock)
        return true
    }

    func removeTree(_ name: String) throws {
        let paths = container.paths.clone(name)
        if FileTree.exists(paths.root) { try container.driver.deleteVolume(paths.root) }
        try FaultPoint.pass("clone.afterVolume")
        try FileTree.removeTree(paths.directory)
    }
}
