import ArchiveModel
import Platform
import PostgresLink

/// Takes back what an init did, as far as its mark says it came: processes, slot, files.
///
/// May be killed and done again: the mark goes last. Whoever calls holds the init's lock, which stays.
struct InitUndo {
    let paths: ContainerPaths

    func run() throws {
        guard var mark = try InitMark.read(paths) else { return }
        let locks = try HalfMadeContainer(paths: paths).end(for: "container init")
        defer { for lock in locks { lock.release() } }
        if let slot = SlotName(mark.slot), let claim = mark.claim {
            try UpstreamSlots.drop(try ConnectionString(mark.upstream), slot, claim)
            mark.askedAt = nil
            // On a full disk it is looked for once more, should this not come to its end.
            try? mark.write(paths)
        }
        // Without it nothing starts here any more.
        try DurableFile.remove(paths.identity)
        for name in try FileTree.list(paths.root) {
            let path = FilePath.join(paths.root, name)
            if path != paths.initMark, path != paths.initLock { try BtrfsDriver().deleteVolume(path) }
        }
        try DurableFile.remove(paths.initMark)
    }

    func runQuietly(_ progress: Progress) {
        do {
            try run()
        } catch {
            let slot = ((try? InitMark.read(paths)) ?? nil)?.slotRemark
            progress.note("could not undo everything: \(error)")
            progress.note("init, or 'pgarchive container purge', tries it again")
            if let slot { progress.note(slot) }
        }
    }
}

/// A container whose init has not ended: what runs in it is nobody's.
struct HalfMadeContainer {
    let paths: ContainerPaths

    /// Ends its processes, and keeps new ones out.
    ///
    /// - Returns: the locks that do so.
    func end(for work: String) throws -> [HeldLock] {
        let deadline = SystemClock.monotonicSeconds() + 30
        while true {
            try endProcesses()
            do {
                return try ContainerClosure.close(paths, for: work)
            } catch let conflict as LockConflict {
                // A receiver that was being started when its init was killed.
                guard SystemClock.monotonicSeconds() < deadline else { throw conflict }
                SystemClock.sleep(seconds: 0.05)
            }
        }
    }

    private func endProcesses() throws {
        // Before it has an identity nothing runs. Settings are not needed, and may be damaged.
        guard let identity = try JSONFile.read(ContainerIdentity.self, from: paths.identity) else { return }
        let container = Container(paths: paths, identity: identity, settings: Settings())
        if ControlClient(container).supervisor != nil { _ = try PartControl(container).shutdown(mode: "immediate") }
        try StandbyPart(container: container).stop(.immediate)
        try ReceiverPart(container: container).stop(.fast)
    }
}

/// Keeps everything out that could work in a container, while it is being removed.
enum ContainerClosure {
    /// - Throws: `LockConflict` when something is at work.
    static func close(_ paths: ContainerPaths, for work: String) throws -> [HeldLock] {
        guard FileTree.exists(paths.run) else { return [] }
        return try [paths.supervisorLock, paths.receiverLock, paths.changeLock].map {
            // What its last holder has just started keeps the lock until it runs its own program.
            try HeldLock.acquire($0, wait: 0.5, description: work)
        }
    }
}
