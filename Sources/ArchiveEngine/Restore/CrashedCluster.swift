import ArchiveModel
import Platform
import PostgresLink
import WALFormat
package import WALStore

/// The upstream's own files after a crash: its pg_wal may hold commits that never left the host.
package struct CrashedCluster: Sendable {
    let container: Container
    /// Its data directory, or its pg_wal.
    let directory: String

    package init(_ container: Container, directory: String) {
        self.container = container
        self.directory = FileTree.absolute(directory)
    }

    private var writeAheadLog: String {
        FileTree.isDirectory("\(directory)/pg_wal") ? "\(directory)/pg_wal" : directory
    }

    /// What is not in the archive yet; neither that nor the cluster's files are changed.
    package func look() throws -> CrashedWAL {
        try check()
        let lock: HeldLock
        do {
            lock = try HeldLock.acquire(container.paths.receiverLock, wait: 1, description: "taking unarchived WAL")
        } catch let conflict as LockConflict {
            throw ArchiveError(
                .conflict,
                "WAL is being received: \(conflict)",
                hint: "when the upstream is gone for good, 'pgarchive wal_archive stop' first"
            )
        }
        let unarchived = UnarchivedWAL(
            from: writeAheadLog,
            into: container.walDirectory,
            systemIdentifier: container.identity.systemIdentifier
        )
        do {
            return CrashedWAL(unarchived: unarchived, found: try unarchived.look(), lock: lock)
        } catch let refusal as UnarchivedWAL.Refusal {
            throw error(refusal)
        }
    }

    private func check() throws {
        guard FileTree.isDirectory(directory) else {
            throw ArchiveError(
                .notFound,
                "there is no directory '\(directory)'",
                hint: "give the crashed server's data directory, or its pg_wal"
            )
        }
        guard let control = try ControlFileReader.read(outside: directory) else { return }
        if PostgresServer.find(dataDirectory: directory) != nil {
            throw ArchiveError(
                .refused,
                "the server of '\(directory)' is running",
                hint: "leave --wal-from out: its WAL is received; or stop it first"
            )
        }
        try control.requireUpstream(of: container, in: directory)
    }

    private func error(_ refusal: UnarchivedWAL.Refusal) -> ArchiveError {
        switch refusal {
        case .emptyArchive:
            ArchiveError(
                .refused,
                "the archive has no WAL that this could go on from",
                hint: "leave --wal-from out"
            )
        case .differs(let place):
            ArchiveError(
                .refused,
                "the WAL in '\(writeAheadLog)' is not the archive's: they differ at \(place)",
                hint: "that server went on from an older state, or on another timeline; leave --wal-from out"
            )
        case .notThere(let name):
            ArchiveError(
                .refused,
                "'\(writeAheadLog)' has no segment \(name), where the archive ends",
                hint: "its WAL does not go on from the archive's; leave --wal-from out"
            )
        case .otherTimeline(let theirs, let ours):
            ArchiveError(
                .refused,
                "'\(writeAheadLog)' is of timeline \(theirs), which does not come from the archive's timeline \(ours) "
                    + "by the histories that are there",
                hint: "that server went its own way; leave --wal-from out"
            )
        }
    }
}

/// WAL of a crashed cluster that goes on where the archive ends: it can be read here before it is taken.
///
/// Nothing is received from the look on until it is released.
package struct CrashedWAL: Sendable {
    let unarchived: UnarchivedWAL
    package let found: UnarchivedWAL.Continuation
    let lock: HeldLock

    /// Takes it into the archive.
    package func take() throws {
        try unarchived.take(found)
        lock.release()
    }
}
