import ArchiveModel
import Glibc
import Platform
import PostgresLink

/// The directory that an init is to fill: what may be in it, and the lock that keeps all others out.
struct InitPlace {
    let paths: ContainerPaths
    let interruption: Interruption

    /// What shows now would be found out after the whole base backup.
    func checkPath() throws {
        try Name.checkContainer(FilePath.name(of: paths.root))
        guard let objection = SocketDirectory.objection(to: paths.socketDirectory) else { return }
        throw ArchiveError(
            .usage,
            "no container can be in '\(paths.root)': \(objection)",
            hint: "choose another directory, a shorter one and without a comma; a symbolic link does not help"
        )
    }

    /// What an init that was killed has left there; nil in a place that is free.
    ///
    /// - Throws: when anything else is there.
    func leftover() throws -> InitMark? {
        guard FileTree.exists(paths.root) else { return nil }
        guard let mark = try InitMark.read(paths) else {
            try requireFree()
            return nil
        }
        // No init leaves those: the mark lies in a container that is used.
        for directory in [paths.snapshots, paths.clones] where try !Self.isEmpty(directory) {
            throw ArchiveError(
                .conflict,
                "'\(paths.root)' has the mark of an unfinished init, and still there is something in \(directory)",
                hint: "if the container works, remove '\(paths.initMark)'; "
                    + "if nothing of it is needed, 'pgarchive container purge' it"
            )
        }
        if let holder = try HeldLock.isHeld(paths.supervisorLock) {
            throw ArchiveError(
                .conflict,
                "a supervisor runs in '\(paths.root)': process \(holder.pid)",
                hint: "'pgarchive container stop' ends it"
            )
        }
        return mark
    }

    private func requireFree() throws {
        guard !FileTree.exists(paths.identity) else {
            throw ArchiveError(
                .conflict,
                "there is a container in '\(paths.root)' already",
                hint: "choose another name, or 'pgarchive container purge' it first"
            )
        }
        guard try FileTree.list(paths.root).allSatisfy({ Self.isTrace($0, of: paths) }) else {
            throw ArchiveError(
                .conflict,
                "'\(paths.root)' is not empty",
                hint: "choose a directory that is empty or does not exist"
            )
        }
    }

    /// What an init that was killed before it made its mark leaves.
    static func isTrace(_ name: String, of paths: ContainerPaths) -> Bool {
        name == FilePath.name(of: paths.initLock)
            || name.hasPrefix(".\(FilePath.name(of: paths.initMark)).") && DurableFile.temporaryOwner(name: name) != nil
    }

    static func isEmpty(_ directory: String) throws(SystemError) -> Bool {
        do throws(SystemError) {
            return try FileTree.list(directory).isEmpty
        } catch {
            if error.isNotFound { return true }
            throw error
        }
    }

    /// Makes the directory, for this init alone.
    ///
    /// One that was interrupted a moment ago may still be undoing what it did, so it is waited for.
    func take() throws -> HeldLock {
        let deadline = SystemClock.monotonicSeconds() + 15
        while true {
            do {
                try FileTree.makeDirectory(paths.root, mode: 0o700, parents: true)
                let lock = try HeldLock.acquire(paths.initLock, description: "container init")
                try DurableFile.removeLeftovers(in: paths.root)
                return lock
            } catch let conflict as LockConflict {
                guard SystemClock.monotonicSeconds() < deadline else {
                    throw ArchiveError(
                        .conflict,
                        "'\(paths.root)' is being worked on: \(conflict.holder?.description ?? "by another process")",
                        hint: "wait until that has ended"
                    )
                }
            } catch let error as SystemError where error.isNotFound {
                // Whoever was there has just removed the directory.
                guard SystemClock.monotonicSeconds() < deadline else { throw error }
            }
            try interruption.pause(milliseconds: 50)
        }
    }

    /// Gives the place back; `removing` takes the directory away too, when it is empty.
    func leave(_ lock: HeldLock, removing: Bool) {
        try? FileTree.removeFile(paths.initLock)
        if removing { rmdir(paths.root) }
        lock.release()
    }
}
