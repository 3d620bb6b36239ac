package import ArchiveModel
import Platform
import PostgresLink
package import WALFormat
import WALStore

/// Takes a snapshot of the standby.
package struct SnapshotTake: Sendable {
    let container: Container
    let progress: Progress
    let interruption: Interruption?

    package init(_ container: Container, progress: Progress = .silent, interruption: Interruption? = nil) {
        self.container = container
        self.progress = progress
        self.interruption = interruption
    }

    /// The snapshot's name when none is given: the UTC time.
    package static func standardName(at now: PostgresTime) -> String {
        Instant.compact(now)
    }

    /// - Parameter force: also from a standby that is stopped, does not replay, or has no recent restartpoint.
    package func run(name: String? = nil, force: Bool = false) throws -> SnapshotRecord {
        let lock = try ContainerChange.lock(container, for: "snapshot create", interruption: interruption)
        defer { lock.release() }
        try SnapshotCatalog(container).removeHalfMade()

        let now = PostgresTime(unixMicroseconds: SystemClock.now())
        let name = try freeName(name, now: now)
        let source = try inspect(force: force)
        let paths = container.paths.snapshot(name)
        try FileTree.makeDirectory(paths.directory, mode: 0o700, parents: true)
        do {
            // Or the record would be durable in a directory that is not.
            try DurableFile.syncDirectory(container.paths.snapshots)
            try FaultPoint.pass("snapshot.laid")
            progress.step("copying the standby (\(container.identity.driver.rawValue))")
            let record = try copy(source, name: name, now: now, to: paths, force: force)
            try FaultPoint.pass("snapshot.beforeRecord")
            try interruption?.check()
            try JSONFile.replace(paths.record, with: record)
            try FaultPoint.pass("snapshot.afterRecord")
            return record
        } catch {
            try? container.driver.deleteVolume(paths.root)
            try? FileTree.removeTree(paths.directory)
            try interruption?.check()
            throw error
        }
    }

    // MARK: - Before

    /// The newest snapshot, when one taken now would equal it.
    ///
    /// The standby has replayed nothing since, nor come to a newer restartpoint. Nil also where none can be taken:
    /// taking it tells what is wrong.
    package func equal() throws -> SnapshotRecord? {
        guard let newest = try SnapshotCatalog(container).all().last(where: \.live) else { return nil }
        do {
            let connection = try LocalLink.connect(container: container, port: StandbyConfiguration.port)
            defer { connection.close() }
            try connection.execute("SET statement_timeout = 0")
            try connection.execute("CHECKPOINT", interrupt: interruption?.descriptor ?? -1)
            let probe = try StandbyProbe(container: container, connection: connection)
            guard newest.replayed == probe.replayed, newest.redo == probe.control.checkpointRedo,
                newest.timeline == probe.control.recoveryTimeline
            else { return nil }
            try requireFresh(probe)
            return newest
        } catch {
            try interruption?.check()
            return nil
        }
    }

    private enum Source {
        case running(SQLConnection, StandbyProbe)
        case stopped
    }

    /// Looks whether the standby is fit for a snapshot, and shortens what a clone would have to replay.
    private func inspect(force: Bool) throws -> Source {
        let connection: SQLConnection
        do {
            connection = try LocalLink.connect(container: container, port: StandbyConfiguration.port)
        } catch {
            guard force else {
                throw ArchiveError(
                    .refused,
                    "the standby is not running, so there is nothing new to take a snapshot of",
                    hint: "'pgarchive standby start'; or --force takes one of its directory as it is",
                    details: [error.message]
                )
            }
            guard PostgresServer.find(dataDirectory: container.paths.standbyTree.data) == nil else {
                throw ArchiveError(
                    .refused,
                    "the standby is starting or does not answer: \(error.message)",
                    hint: "wait until 'pgarchive standby status' shows it running"
                )
            }
            return .stopped
        }
        do {
            progress.step("asking the standby for a restartpoint")
            try connection.execute("SET statement_timeout = 0")
            try connection.execute("CHECKPOINT", interrupt: interruption?.descriptor ?? -1)
            let probe = try StandbyProbe(container: container, connection: connection)
            if !force { try requireFresh(probe) }
            return .running(connection, probe)
        } catch {
            connection.close()
            try interruption?.check()
            throw error
        }
    }

    /// Refuses when the standby does not replay what is there, or its restartpoint is not the newest that it could be.
    private func requireFresh(_ probe: StandbyProbe) throws {
        if let hold = StandbyHold.read(container) {
            throw ArchiveError(
                .refused,
                "the standby is held: \(hold.text)",
                hint: "--force takes a snapshot of where it stands, \(probe.replayed)"
            )
        }
        try requireFullPages(probe.control, upTo: probe.replayed)
        if probe.isPaused {
            throw ArchiveError(
                .refused,
                "replay is paused on the standby at \(probe.replayed)",
                hint:
                    "'pgarchive standby restart' lets it adopt the upstream's settings; --force takes one as it stands"
            )
        }
        let listing = try container.walDirectory.list()
        let complete = listing.segments.last { $0.form.isComplete && $0.name.timeline == listing.newestTimeline }
        if let end = complete?.name.start(size: container.segmentSize).map({ container.segmentSize.segmentEnd(of: $0) }
        ),
            end.bytes(since: probe.replayed) > 4 * container.segmentSize.bytes
        {
            throw ArchiveError(
                .refused,
                "the standby is \(end.bytes(since: probe.replayed) >> 20) MB behind the archive, at \(probe.replayed)",
                hint: "wait until it has caught up ('pgarchive container status'), or use --force"
            )
        }
        let debt = probe.replayed.bytes(since: probe.control.checkpointRedo)
        if debt > container.settings.snapshotDebtBytes, let newer = try newerCheckpoint(than: probe) {
            throw ArchiveError(
                .refused,
                "there is no recent restartpoint: the standby is on the one of \(probe.control.checkpointRedo) "
                    + "though it has replayed the checkpoint of \(newer)",
                hint: "see 'pgarchive standby log' for what holds it up; --force takes the snapshot all the same"
            )
        }
    }

    /// The redo of the newest checkpoint that was replayed, when the restartpoint is not on it.
    private func newerCheckpoint(than probe: StandbyProbe) throws -> LSN? {
        var newest: LSN?
        try visitEvents(since: probe.control, upTo: probe.replayed) { event in
            if case .checkpoint(let checkpoint) = event { newest = checkpoint.redo }
        }
        guard let newest, newest > probe.control.checkpointRedo else { return nil }
        return newest
    }

    /// Refuses a copy of which some page may be torn, which only a full page in the WAL since its redo would mend.
    private func requireFullPages(_ control: ControlFile, upTo replayed: LSN) throws {
        guard try !hasFullPages(control, upTo: replayed) else { return }
        throw ArchiveError(
            .refused,
            "upstream runs, or ran a while ago, with full_page_writes = off: a copy made now could hold torn pages "
                + "that no WAL repairs",
            hint: "ALTER SYSTEM SET full_page_writes = on; on the upstream, then wait for its next checkpoint"
        )
    }

    /// Whether all WAL since the redo was written with full_page_writes (PostgreSQL asks the same in `pg_backup_stop`).
    private func hasFullPages(_ control: ControlFile, upTo replayed: LSN) throws -> Bool {
        var isOn = control.fullPageWrites
        try visitEvents(since: control, upTo: replayed) { event in
            if case .fullPageWritesChange(false) = event { isOn = false }
        }
        return isOn
    }

    private func visitEvents(since control: ControlFile, upTo replayed: LSN, visit: (WALEvent) -> Void) throws {
        let path = try container.walDirectory.path(to: control.recoveryTimeline)
        let walk = WALWalk(container.walDirectory, expectation: container.expectation)
        _ = try walk.records(from: control.checkpointRedo, along: path, upTo: replayed) { record, _, body, major in
            if let event = WALEvent.decode(record, body: body, major: major) { visit(event) }
            return .proceed
        }
    }

    // MARK: - The copy

    private func copy(
        _ source: Source,
        name: String,
        now: PostgresTime,
        to paths: SnapshotPaths,
        force: Bool
    ) throws -> SnapshotRecord {
        try StandbyTree.requireContained(container.paths.standbyTree)
        switch source {
        case .running(let connection, let probe):
            defer { connection.close() }
            return container.driver.isAtomic
                ? try copyAtOnce(connection, probe: probe, name: name, now: now, to: paths, force: force)
                : try copyOnline(connection, probe: probe, name: name, now: now, to: paths)
        case .stopped:
            let control = try copyStopped(to: paths)
            return record(name, now, control, redo: control.checkpointRedo, probe: nil, live: false)
        }
    }

    /// A copy of one moment, of a standby that goes on replaying.
    private func copyAtOnce(
        _ connection: SQLConnection,
        probe: StandbyProbe,
        name: String,
        now: PostgresTime,
        to paths: SnapshotPaths,
        force: Bool
    ) throws -> SnapshotRecord {
        let driver = container.driver
        try driver.sync(container.paths.standbyTree.root)
        try driver.copyVolume(from: container.paths.standbyTree.root, to: paths.root, options: CopyOptions())
        try driver.freeze(paths.root)
        let control = try ControlFileReader.read(paths.tree)
        // Once more: commits that were replayed during the copy must not count as later than it.
        let after = (try? StandbyProbe(container: container, connection: connection)) ?? probe
        if !force { try requireFullPages(control, upTo: after.replayed) }
        return record(
            name,
            now,
            control,
            redo: control.checkpointRedo,
            probe: probe,
            lastTransactionTime: after.lastTransactionTime,
            live: try !force || hasFullPages(control, upTo: after.replayed)
        )
    }

    /// A copy of a standby that is down: with a driver that is not atomic it has to stay so.
    private func copyStopped(to paths: SnapshotPaths) throws -> ControlFile {
        let tree = container.paths.standbyTree
        let before = try StandbyRest(tree)
        try container.driver.copyVolume(from: tree.root, to: paths.root, options: copyOptions)
        guard try container.driver.isAtomic || StandbyRest(tree) == before else {
            throw ArchiveError(
                .conflict,
                "the standby was started while it was copied: the copy is worth nothing, and was removed",
                hint: "try again; or 'pgarchive standby stop' first, so that the supervisor leaves it stopped"
            )
        }
        try container.driver.sync(paths.root)
        try container.driver.freeze(paths.root)
        return try ControlFileReader.read(paths.tree)
    }

    /// A copy file by file, while the standby goes on replaying: PostgreSQL's own way of backing up a standby.
    private func copyOnline(
        _ connection: SQLConnection,
        probe: StandbyProbe,
        name: String,
        now: PostgresTime,
        to paths: SnapshotPaths
    ) throws -> SnapshotRecord {
        // PostgreSQL refuses it by itself, also where it was told to be off meanwhile.
        try requireFullPages(probe.control, upTo: probe.replayed)
        _ = try connection.query(
            "SELECT pg_backup_start($1, fast => true)",
            ["pgarchive \(name)"],
            interrupt: interruption?.descriptor ?? -1
        )
        let driver = container.driver
        try driver.copyVolume(from: container.paths.standbyTree.root, to: paths.root, options: copyOptions)
        guard let text = try connection.query("SELECT labelfile FROM pg_backup_stop(false)").first?.first ?? nil else {
            throw ArchiveError(.failed, "the standby gave no backup_label", hint: "'pgarchive standby log' tells why")
        }
        try DurableFile.replace(paths.tree.backupLabel, text: text, mode: 0o600)
        try driver.sync(paths.root)
        try driver.freeze(paths.root)
        let label = try BackupLabel(text)
        let control = try ControlFileReader.read(paths.tree)
        let after = try StandbyProbe(container: container, connection: connection)
        return record(name, now, control, redo: label.start, probe: after, live: true)
    }

    /// pg_control last, since its minRecoveryPoint must cover every page copied before.
    private var copyOptions: CopyOptions {
        CopyOptions(
            copyLast: ["data/global/pg_control"],
            emptyDirectories: [
                "data/pg_wal", "data/pg_replslot", "data/pg_stat_tmp", "data/pg_notify", "data/pg_subtrans",
            ],
            tolerateVanishing: true,
            interrupt: interruption?.descriptor ?? -1
        )
    }

    private func record(
        _ name: String,
        _ now: PostgresTime,
        _ control: ControlFile,
        redo: LSN,
        probe: StandbyProbe?,
        lastTransactionTime: PostgresTime? = nil,
        live: Bool
    ) -> SnapshotRecord {
        let consistent = max(control.minRecoveryPoint, redo)
        return SnapshotRecord(
            name: name,
            createdAt: now,
            timeline: control.recoveryTimeline,
            redo: redo,
            consistent: consistent,
            replayed: max(consistent, probe?.replayed ?? consistent),
            lastTransactionTime: lastTransactionTime ?? probe?.lastTransactionTime,
            checkpointTime: control.checkpointTime,
            driver: container.identity.driver,
            live: live
        )
    }

    // MARK: - Names

    private func freeName(_ wanted: String?, now: PostgresTime) throws -> String {
        if let wanted {
            try Name.check(wanted, what: "snapshot")
            guard !FileTree.exists(container.paths.snapshot(wanted).directory) else {
                throw ArchiveError(
                    .conflict,
                    "there is a snapshot '\(wanted)' already",
                    hint: "give another name, or none"
                )
            }
            // 'clone create NAME' would take the snapshot, with the original's data, for the branch point.
            if let clone = try? CloneCatalog(container).find(wanted), clone.isBranch {
                throw ArchiveError(
                    .conflict,
                    "there is a branch point '\(wanted)' already",
                    hint: "give another name, or none"
                )
            }
            return wanted
        }
        let base = Self.standardName(at: now)
        for suffix in [""] + (2...99).map({ "-\($0)" })
        where !FileTree.exists(container.paths.snapshot(base + suffix).directory) {
            return base + suffix
        }
        throw ArchiveError(.conflict, "too many snapshots within one second", hint: "give a name")
    }
}

/// What tells whether a server ran in a directory between two looks: each start makes its options file anew.
private struct StandbyRest: Equatable {
    private let control: [UInt8]
    private let options: FileStatus?
    private let isRunning: Bool

    init(_ tree: ServerTree) throws {
        control = try FileTree.read(tree.controlFile, limit: 8192)
        options = try? FileTree.status("\(tree.data)/postmaster.opts")
        isRunning = PostgresServer.find(dataDirectory: tree.data) != nil
    }
}

extension ControlFile {
    /// The timeline that recovery from here is on.
    fileprivate var recoveryTimeline: TimelineID {
        minRecoveryPoint.isValid ? minRecoveryPointTimeline : checkpointTimeline
    }
}
