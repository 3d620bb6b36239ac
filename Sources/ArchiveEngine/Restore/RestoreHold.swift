import ArchiveModel
import Glibc
package import Platform
package import WALFormat

/// What a restore at work needs of the container (`run/restore-PID`).
///
/// That is its snapshot while it is copied, and the WAL from there on until it has recovered. It means nothing once its
/// process is gone.
package struct RestoreHold: Codable, Sendable {
    package var process: ProcessIdentity
    package var snapshot: String
    package var redo: LSN
    package var directory: String

    /// Those of restores at work.
    package static func all(_ container: Container) throws -> [RestoreHold] {
        try FileTree.list(container.paths.run).compactMap { name in
            guard let pid = ContainerPaths.process(of: name, .restoreHold),
                let hold = try JSONFile.read(RestoreHold.self, from: container.paths.file(.restoreHold, of: pid)),
                hold.process.isAlive
            else { return nil }
            return hold
        }
    }

    /// Holds for this process; with the change lock held, under which expiry looks.
    static func take(_ container: Container, plan: RestorePlan, directory: String) throws {
        guard let process = ProcessIdentity.current() else {
            throw ArchiveError(.failed, "this process is not in /proc", hint: "mount /proc")
        }
        let hold = RestoreHold(process: process, snapshot: plan.snapshot, redo: plan.redo, directory: directory)
        try JSONFile.replace(container.paths.file(.restoreHold, of: getpid()), with: hold)
    }

    static func release(_ container: Container) {
        try? FileTree.removeFile(container.paths.file(.restoreHold, of: getpid()))
    }
}
