import ArchiveModel
import Platform
import WALFormat
import WALStore

/// The setting `wal.restore_program`: brings back a segment that is needed and no longer here, such as from a copy.
///
/// What it brings is checked like a segment that a server archives, and then belongs to the archive again.
struct RestoreProgram {
    private let container: Container
    private let program: String

    /// Nil when none is set.
    init?(_ container: Container) {
        guard !container.settings.restoreProgram.isEmpty else { return nil }
        self.container = container
        self.program = container.settings.restoreProgram
    }

    /// - Returns: whether the archive has the segment now.
    /// - Throws: `verificationFailed` when what was brought is not the segment.
    func bringBack(_ name: SegmentName) throws -> Bool {
        let directory = "\(container.paths.run)/restore-program"
        let lock = try HeldLock.acquire("\(directory).lock", wait: 600, description: "restore_program")
        defer { lock.release() }
        if try container.walDirectory.locate(name)?.form.isComplete == true { return true }
        try FileTree.makeDirectory(directory, mode: 0o700, parents: true)
        try FileTree.emptyDirectory(directory)
        defer { try? FileTree.removeTree(directory) }
        let path = "\(directory)/\(name)"
        guard try fetch(name, to: path) else { return false }
        try adopt(path, name)
        return true
    }

    /// Has the program put a segment into a file; what it brings is not checked.
    func fetch(_ name: SegmentName, to path: String) throws -> Bool {
        let output = try ProcessSpawn.run(
            SpawnRequest(
                executable: "/bin/sh",
                arguments: ["-c", WALCopy.substituted(program, ["p": path, "f": "\(name)"])],
                environment: ServerEnvironment.minimal,
                workingDirectory: container.paths.root,
                umask: 0o077
            )
        )
        return output.status.isSuccess && FileTree.exists(path)
    }

    private func adopt(_ path: String, _ name: SegmentName) throws {
        let push = ArchivePush(
            PushRequest(
                archive: container.paths.walArchive,
                systemIdentifier: container.identity.systemIdentifier,
                segmentSize: container.segmentSize,
                source: path
            )
        )
        do throws(PushFailure) {
            _ = try push.run { _ in }
        } catch {
            throw ArchiveError(
                .verificationFailed,
                "what restore_program brought for \(name) is not that segment: \(error.text)",
                hint: "see to the copies that it reads"
            )
        }
    }
}
