import ArchiveModel
package import Platform

/// One change of snapshots, clones or the archive's content at a time.
package enum ContainerChange {
    package static func lock(_ container: Container, for work: String, waitSeconds: Double = 60) throws -> HeldLock {
        do {
            return try HeldLock.acquire(container.paths.changeLock, wait: waitSeconds, description: work)
        } catch let conflict as LockConflict {
            throw ArchiveError(
                .conflict,
                "another command is changing the container: \(conflict)",
                hint: "try again when it has ended"
            )
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
