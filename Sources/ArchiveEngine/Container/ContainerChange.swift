import ArchiveModel
package import Platform

/// One change of snapshots, clones or the archive's content at a time.
package enum ContainerChange {
    /// Who copies waits for the copies of all who came before.
    static let makersWaitSeconds = 3600.0

    package static func lock(
        _ container: Container,
        for work: String,
        waitSeconds: Double = 60,
        interruption: Interruption? = nil
    ) throws -> HeldLock {
        let deadline = Deadline(seconds: waitSeconds)
        while true {
            do {
                return try HeldLock.acquire(container.paths.changeLock, description: work)
            } catch let conflict as LockConflict {
                guard deadline.hasPassed else {
                    try interruption?.check()
                    SystemClock.sleep(seconds: 0.002)
                    continue
                }
                throw ArchiveError(
                    .conflict,
                    "another command is changing the container: \(conflict)",
                    hint: "try again when it has ended"
                )
            }
        }
    }
}

extension Container {
    package var driver: any StorageDriver {
        switch identity.driver {
        case .btrfs: BtrfsDriver()
        case .reflink: ReflinkDriver()
        case .copy: CopyDriver()
        }
    }
}
