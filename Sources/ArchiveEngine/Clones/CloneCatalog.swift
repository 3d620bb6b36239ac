package import ArchiveModel
import Platform

/// The clones of a container.
package struct CloneCatalog: Sendable {
    let container: Container

    package init(_ container: Container) {
        self.container = container
    }

    package func contents() throws -> RecordListing<CloneRecord> {
        try RecordListing(container.paths.clones) { container.paths.clone($0).record }
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
        try contents().records.filter(\.state.isMade)
    }

    package func find(_ name: String) throws -> CloneRecord {
        if Name.fault(name) == nil,
            let record = try JSONFile.read(CloneRecord.self, from: container.paths.clone(name).record),
            record.state.isMade
        {
            return record
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
        try JSONFile.replace(container.paths.clone(record.name).record, with: record)
    }

    /// Removes what interrupted commands left behind: with the change lock held, nobody is at work on it.
    ///
    /// - Returns: the names of what was removed.
    @discardableResult
    func removeHalfMade() throws -> [String] {
        let contents = try contents()
        let names =
            contents.recordless
            + contents.records.filter { $0.state == .creating || $0.state == .deleting }.map(\.name)
        for name in names { try removeTree(name) }
        return names
    }

    func removeTree(_ name: String) throws {
        let paths = container.paths.clone(name)
        if FileTree.exists(paths.root) { try container.driver.deleteVolume(paths.root) }
        try FaultPoint.pass("clone.afterVolume")
        try FileTree.removeTree(paths.directory)
    }
}
