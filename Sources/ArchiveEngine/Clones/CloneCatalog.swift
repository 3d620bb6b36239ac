package import ArchiveModel
import Platform

/// The clones of a container.
package struct CloneCatalog: Sendable {
    let container: Container

    package init(_ container: Container) {
        self.container = container
    }

    package func all() throws -> [CloneRecord] {
        guard FileTree.exists(container.paths.clones) else { return [] }
        return try FileTree.list(container.paths.clones)
            .compactMap { try JSONFile.read(CloneRecord.self, from: container.paths.clone($0).record) }
            .sorted { $0.name < $1.name }
    }

    /// The clones that users see: those whose copy is complete and whose record can be read.
    package func listed() throws -> [CloneRecord] {
        guard FileTree.exists(container.paths.clones) else { return [] }
        return try FileTree.list(container.paths.clones)
            .compactMap { (try? JSONFile.read(CloneRecord.self, from: container.paths.clone($0).record)) ?? nil }
            .filter { $0.state == .created || $0.state == .recovered }
    }

    package func find(_ name: String) throws -> CloneRecord {
        if Name.fault(name) == nil,
            let record = try JSONFile.read(CloneRecord.self, from: container.paths.clone(name).record),
            record.state == .created || record.state == .recovered
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

    func save(_ record: CloneRecord) throws {
        try JSONFile.replace(container.paths.clone(record.name).record, with: record)
    }

    /// Removes what interrupted commands left behind.
    ///
    /// Call with the container's change lock held.
    func removeHalfMade() throws {
        guard FileTree.exists(container.paths.clones) else { return }
        for name in try FileTree.list(container.paths.clones) {
            let record = try JSONFile.read(CloneRecord.self, from: container.paths.clone(name).record)
            guard record.map({ $0.state == .creating || $0.state == .deleting }) ?? true else { continue }
            try removeTree(name)
        }
    }

    func removeTree(_ name: String) throws {
        let paths = container.paths.clone(name)
        if FileTree.exists(paths.root) { try container.driver.deleteVolume(paths.root) }
        try FileTree.removeTree(paths.directory)
    }
}
