package import ArchiveModel
import Platform

/// The snapshots of a container.
///
/// A directory without `snapshot.json` is no snapshot.
package struct SnapshotCatalog: Sendable {
    let container: Container

    package init(_ container: Container) {
        self.container = container
    }

    /// The snapshots, oldest first, with those whose record cannot be read, and what was never finished or whose
    /// deletion was not.
    package func contents() throws -> RecordListing<SnapshotRecord> {
        var contents = try RecordListing<SnapshotRecord>(container.paths.snapshots) {
            container.paths.snapshot($0).record
        }
        contents.records.sort { ($0.createdAt, $0.name) < ($1.createdAt, $1.name) }
        return contents
    }

    /// All snapshots, oldest first; those whose record cannot be read are left out.
    package func all() throws -> [SnapshotRecord] { try contents().records }

    package func find(_ name: String) throws -> SnapshotRecord {
        if Name.fault(name) == nil,
            let record = try JSONFile.read(SnapshotRecord.self, from: container.paths.snapshot(name).record)
        {
            return record
        }
        let known = try all().map(\.name)
        throw ArchiveError(
            .notFound,
            "there is no snapshot '\(name)'",
            hint: Spelling.nearest(to: name, among: known).map { "did you mean '\($0)'?" }
                ?? "'pgarchive snapshot list' shows what is there"
        )
    }

    /// Snapshots whose names match any of the patterns; a pattern that matches none is an error.
    package func matching(_ patterns: [String]) throws -> [SnapshotRecord] {
        let all = try self.all()
        var names: Set<String> = []
        for pattern in patterns {
            let found = all.filter { Glob.matches(pattern, $0.name) }
            if found.isEmpty, Glob.isPattern(pattern) {
                throw ArchiveError(
                    .notFound,
                    "no snapshot matches '\(pattern)'",
                    hint: "'pgarchive snapshot list' shows what is there"
                )
            }
            if found.isEmpty { _ = try find(pattern) }
            names.formUnion(found.map(\.name))
        }
        return all.filter { names.contains($0.name) }
    }

    /// Removes what interrupted commands left behind: with the change lock held, nobody is at work on it.
    func removeHalfMade() throws {
        for name in try contents().recordless { try SnapshotDelete(container).removeTree(name) }
    }
}
