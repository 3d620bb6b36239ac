import ArchiveModel
import Platform

/// One command at a time on one clone.
///
/// Taken after the container's change lock where both are needed, but by who makes and starts one, before there is any.
/// Under it the clone's record is read again.
enum CloneLock {
    static func take(
        _ container: Container,
        _ name: String,
        for work: String,
        waitSeconds: Double = 1
    ) throws -> HeldLock {
        do {
            return try HeldLock.acquire(
                container.paths.cloneLock(name),
                wait: waitSeconds,
                description: "\(work) \(name)"
            )
        } catch let conflict as LockConflict {
            throw ArchiveError(
                .conflict,
                "another command is at work on clone '\(name)': \(conflict.holder?.description ?? "unknown")",
                hint: "wait until it has ended, or end it"
                    + (conflict.holder.map { " with 'kill \($0.pid)'" } ?? "")
                    + ": an interrupted start stops its clone"
            )
        }
    }

    /// Whether a command is at work on it; true also where that cannot be seen.
    static func isHeld(_ container: Container, _ name: String) -> Bool {
        do {
            return try HeldLock.isHeld(container.paths.cloneLock(name)) != nil
        } catch {
            return true
        }
    }

    /// Gives back the lock of a clone that is gone, with its file.
    static func remove(_ lock: HeldLock) {
        try? FileTree.removeFile(lock.path)
        lock.release()
    }
}
