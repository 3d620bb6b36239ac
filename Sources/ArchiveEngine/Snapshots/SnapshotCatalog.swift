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

    /// All snapshots, oldest first; those whose record cannot be read are left out here and named by `damaged`.
    package func all() throws -> [SnapshotRecord] {
        guard FileTree.exists(container.paths.snapshots) else { return [] }
        return try FileTree.list(container.paths.snapshots)
            .compactMap { (try? JSONFile.read(SnapshotRecord.self, from: container.paths.snapshot($0).record)) ?? nil }
            .sorted { ($0.createdAt, $0.name) < ($1.createdAt, $1.name) }
    }

    /// Snapshots whose record cannot be read, and why; they may need any WAL.
    package func damaged() throws -> [(name: String, problem: String)] {
        guard FileTree.exists(container.paths.snapshots) else { return [] }
        return try FileTree.list(container.paths.snapshots).compactMap { name in
            do {
                _ = try JSONFile.read(SnapshotRecord.self, from: container.paths.snapshot(name).record)
                return nil
            } catch {
                return (name, "\(error)")
            }
        }
    }

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
        let all = try all()
        var names: Set<String> = []
        for pattern in patterns {
            let found = all.filter { Glob.matches(pattern, $0.name) }
            if found.isEmpty { _ = try find(pattern) }
            names.formUnion(found.map(\.name))
        }
        return all.filter { names.contains($0.name) }
    }

    /// Directories of snapshots that were never finished, or whose deletion was: to be removed.
    package func halfMade() throws -> [String] {
        guard FileTree.exists(container.paths.snapshots) else { return [] }
        return try FileTree.list(container.paths.snapshots)
            // Only what is certainly not there: a failed look must never cost a snapshot.
            .filter { try FileTree.kind(container.paths.snapshot($0).record) == nil }
    }
}
