package import ArchiveModel
import Glibc
import Platform
import PostgresLink
import WALFormat

/// Makes a snapshot's image: a copy that is recovered to the snapshot's own moment, promoted, and shut down.
///
/// A copy of that takes writes at once, whatever there was to replay.
package struct ReadyImageMake: Sendable {
    private let container: Container
    private let snapshot: String
    private let progress: Progress
    private let interruption: Interruption

    private var paths: SnapshotPaths { container.paths.snapshot(snapshot) }
    private var tree: ServerTree { paths.readyTree }

    package init(
        _ container: Container,
        snapshot: String,
        progress: Progress = .silent,
        interruption: Interruption
    ) {
        self.container = container
        self.snapshot = snapshot
        self.progress = progress
        self.interruption = interruption
    }

    /// - Parameter isAskedFor: by name, so that it stays.
    package func run(isAskedFor: Bool) throws -> ReadyImage {
        let images = ReadyImages(container)
        let lock = try images.lock(for: snapshot, waitSeconds: isAskedFor ? 60 : 0)
        defer { lock.release() }
        // Looked at with the lock held: who deletes the snapshot unlists it first, and then waits for the lock.
        try requireListed()
        if var image = images.image(of: snapshot) {
            if isAskedFor, !image.isAskedFor {
                image.isAskedFor = true
                try JSONFile.replace(paths.readyRecord, with: image)
            }
            return image
        }
        images.removeHalfMade(holding: lock)
        progress.step("looking for the snapshot's moment in the WAL")
        let plan = try TargetResolver(container).resolve(.snapshotItself, snapshot: snapshot)
        do {
            let image = try make(plan, isAskedFor: isAskedFor)
            try FaultPoint.pass("ready.afterRecord")
            return image
        } catch {
            try? images.removeTree(of: snapshot)
            try interruption.check()
            try requireListed()
            throw error
        }
    }

    private func requireListed() throws {
        _ = try SnapshotCatalog(container).find(snapshot)
    }

    private func make(_ plan: RestorePlan, isAskedFor: Bool) throws -> ReadyImage {
        progress.step("copying snapshot '\(snapshot)' (\(container.identity.driver.rawValue))")
        try FileTree.makeDirectory("\(paths.making)/log", mode: 0o700, parents: true)
        try FaultPoint.pass("ready.beforeCopy")
        try container.driver.copyVolume(
            from: paths.root,
            to: paths.readyRoot,
            options: CopyOptions(interrupt: interruption.descriptor)
        )
        try FaultPoint.pass("ready.copied")
        try CloneTree.removeRemains(data: tree.data)
        try FileTree.replace(tree.autoConfiguration, text: "")
        try StandbyTree.relinkTablespaces(tree)
        try StandbyTree.requireContained(tree)
        try FileTree.emptyDirectory(tree.writeAheadLog)
        try FileTree.makeDirectory("\(tree.writeAheadLog)/archive_status", mode: 0o700, parents: false)
        try FileTree.replace(tree.standbySignal, text: "")
        try interruption.check()
        let (timeline, hasSubscriptions) = try recover(plan)
        progress.step("making it durable")
        try CloneTree.removeRemains(data: tree.data)
        try container.driver.sync(paths.readyRoot)
        try container.driver.freeze(paths.readyRoot)
        try FileTree.removeTree(paths.making)
        try interruption.check()
        try requireListed()
        try FaultPoint.pass("ready.beforeRecord")
        let image = ReadyImage(
            plan: plan,
            timeline: timeline,
            madeAt: PostgresTime(unixMicroseconds: SystemClock.now()),
            isAskedFor: isAskedFor,
            hasSubscriptions: hasSubscriptions
        )
        try JSONFile.replace(paths.readyRecord, with: image)
        return image
    }

    /// Recovers, promotes, checkpoints, and shuts down.
    ///
    /// - Returns: the timeline that it is on, and whether it has subscriptions.
    private func recover(_ plan: RestorePlan) throws -> (TimelineID, Bool) {
        let socketDirectory = container.paths.file(.imageSocket, of: getpid())
        if let objection = SocketDirectory.objection(to: socketDirectory, port: Self.port) {
            throw ArchiveError(.refused, objection, hint: "use a shorter path for the container")
        }
        try FileTree.makeDirectory(socketDirectory, mode: 0o700, parents: false)
        defer { try? FileTree.removeTree(socketDirectory) }
        progress.step("recovering to \(plan.stop)")
        return try PostgresServer.start(try launch(plan, socketDirectory)) { server in
            try recover(plan, server) {
                try LocalLink.connect(container: container, socketDirectory: socketDirectory, port: Self.port)
            }
        }
    }

    private func recover(
        _ plan: RestorePlan,
        _ server: RunningServer,
        _ connect: @escaping () throws -> SQLConnection
    ) throws -> (TimelineID, Bool) {
        do {
            var hasSubscriptions = true
            let timeline = try TargetRecovery(
                title: "the image of snapshot '\(snapshot)'",
                server: server,
                redo: plan.redo,
                wal: wal(plan),
                writeAheadLog: tree.writeAheadLog,
                logDirectory: log,
                logHint: "'pgarchive snapshot prepare \(snapshot)' tries again",
                connect: connect,
                segmentSize: container.segmentSize,
                progress: progress,
                interruption: interruption,
                promoted: { hasSubscriptions = try CloneSubscriptions.exist($0) }
            ).run()
            progress.step("shutting it down")
            // The shutdown's own checkpoint writes all that the promotion's has not.
            try server.stop(.fast, timeoutSeconds: nil)
            guard try ControlFileReader.read(tree).state == .shutDown else {
                throw ArchiveError(
                    .failed,
                    "the image of snapshot '\(snapshot)' was not shut down in good order",
                    hint: "'pgarchive snapshot prepare \(snapshot)' tries again",
                    details: LogTail.reasons(directory: log)
                )
            }
            return (timeline, hasSubscriptions)
        } catch {
            try? server.stop(.immediate, timeoutSeconds: 30)
            throw error
        }
    }

    /// Only the name of a socket in a directory of its own.
    private static let port = 5432

    private var log: String { "\(paths.making)/log" }

    private func wal(_ plan: RestorePlan) -> RecoveryWAL {
        RecoveryWAL(
            container: container,
            path: plan.path,
            stop: plan.stop,
            endFile: "\(paths.making)/recovery.end",
            isChecked: plan.isWholeRead
        )
    }

    private func launch(_ plan: RestorePlan, _ socketDirectory: String) throws -> ServerLaunch {
        let buffers = ServerSettings.sharedBuffers(container.settings.cloneSharedBuffers, share: 20, atMost: 2 << 30)
        let (configuration, rules, map) = (
            "\(paths.making)/postgresql.conf", "\(paths.making)/pg_hba.conf", "\(paths.making)/pg_ident.conf"
        )
        try FileTree.replace(
            configuration,
            text: "shared_buffers = \(buffers)\nmax_wal_size = 4GB\nmin_wal_size = 80MB\n"
                + "wal_level = replica\nhuge_pages = off\n"
        )
        try FileTree.replace(rules, text: LocalServerFiles.socketOnlyAuthentication)
        try FileTree.replace(map, text: "")
        var settings = ServerSettings.isolation(major: container.identity.major)
        settings += ServerSettings.logging(directory: log)
        settings += plan.parameters.settings
        settings += [
            ("hba_file", rules),
            ("ident_file", map),
            ("listen_addresses", ""),
            ("cluster_name", "pgarchive \(container.name) image of \(snapshot)"),
            ("shared_preload_libraries", ServerSettings.withoutJobs(container.settings.preloadLibraries)),
            // All of it is made durable once, at the end; until then it counts as half-made.
            ("fsync", "off"),
            ("autovacuum", "off"),
            ("restore_command", try wal(plan).command()),
        ]
        settings += wal(plan).settings
        var launch = ServerLaunch(
            installation: try container.installation(),
            dataDirectory: tree.data,
            configurationFile: configuration,
            settings: settings,
            socketDirectory: socketDirectory,
            port: Self.port,
            logFile: "\(log)/startup.log",
            logDirectory: log,
            role: container.identity.superuser
        )
        // Killed or not, who makes an image leaves no server behind.
        launch.endsWithParent = true
        return launch
    }
}
