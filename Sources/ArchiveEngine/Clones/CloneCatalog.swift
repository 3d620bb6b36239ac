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
        // A look's files are not synced: what cannot be read was lost with its host, and so was its server.
        let lost = contents.damaged.map(\.name).filter { FileTree.exists(container.paths.lookLease($0)) }
        contents.damaged.removeAll { lost.contains($0.name) }
        contents.recordless += lost
        return contents
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
            record.state.isMade
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

    func save(_ record: CloneRecord) throws {
        let path = container.paths.clone(record.name).record
        let text = try JSONFile.text(record)
        // Lost with its host, it is a half-made clone all the same; a torn one would be a riddle.
        if record.state == .creating, !record.isLook { return try DurableFile.put(path, text: text) }
        try record.replace(path, text)
    }

    /// Removes what interrupted commands left behind: with the change lock held, nobody is at work on it.
    ///
    /// - Parameter failed: told of a made clone's remains that cannot be removed now; they are in nobody else's way.
    /// - Returns: the names of what was removed.
    @discardableResult
    func removeHalfMade(failed: (String, any Error) throws -> Void = { _, _ in }) throws -> [String] {
        let contents = try contents()
        var names =
            contents.recordless
            + contents.records.filter { $0.state == .creating || $0.state == .deleting }.map(\.name)
        for name in names { try removeTree(name) }
        for record in contents.records where record.state.isMade {
            do {
                if record.isUnfinished, try removeUnfinished(record.name) { names.append(record.name) }
            } catch {
                try failed(record.name, error)
            }
        }
        return names
    }

    /// Removes a clone whose maker has been killed; its server may have been left behind.
    ///
    /// - Returns: false when somebody is at work on it.
    private func removeUnfinished(_ name: String) throws -> Bool {
        guard let lock = try? CloneLock.take(container, name, for: "removing the unfinished clone", waitSeconds: 0)
        else { return false }
        defer { lock.release() }
        guard try find(name, unfinishedToo: true).isUnfinished else { return false }
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
