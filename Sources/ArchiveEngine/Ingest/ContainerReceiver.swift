import ArchiveModel
import Platform
import PostgresLink
import WALFormat

/// The receiver of a container: the same as the stand-alone one, with everything taken from the container.
package enum ContainerReceiver {
    /// Runs in the foreground until told to end (`wal_archive receive` without `-D`).
    ///
    /// - Returns: the process's exit code.
    package static func run(_ container: Container) throws -> Int32 {
        guard let slot = SlotName(container.slot) else {
            throw ArchiveError(
                .usage,
                "'\(container.slot)' is not a replication slot's name",
                hint: "set slot in \(container.paths.settings)"
            )
        }
        try FileTree.makeDirectory(container.paths.run, mode: 0o700)
        var options = ReceiverOptions(connection: container.upstreamReplication, directory: container.paths.walArchive)
        options.slot = slot
        options.recreatesSlot = true
        // What synchronous_standby_names upstream has to name.
        options.applicationName = slot.description
        options.systemIdentifier = container.identity.systemIdentifier
        options.segmentSize = container.segmentSize
        options.isSynchronous = container.settings.walSynchronous
        options.heartbeatIntervalSeconds = 1
        // An archive that is empty later on was lost, or is not mounted: to begin it anew would leave a hole unseen.
        options.beginsOnlyWith = container.paths.initMark
        options.neededFrom = { Self.oldestRedo(container) }
        options.lockFile = container.paths.receiverLock
        options.statusFile = container.paths.receiverStatus
        options.logFile = container.paths.receiverLog
        return Receiver.run(options)
    }

    /// Where the oldest recovery begins that is possible here; nil while it is not known.
    private static func oldestRedo(_ container: Container) -> LSN? {
        let snapshots = (try? SnapshotCatalog(container).all()) ?? []
        let standby = try? ControlFileReader.read(container.paths.standbyTree).checkpointRedo
        return (snapshots.map(\.redo) + [standby].compactMap(\.self)).filter(\.isValid).min()
    }
}
