package import ArchiveModel
import Glibc
import Platform
import PostgresLink
package import WALFormat

/// Makes a complete data directory out of a snapshot: copied, recovered to its target, promoted, shut down cleanly.
///
/// Killed anywhere it leaves a directory with its mark, which the next restore into it clears.
package struct ClusterRestore: Sendable {
    let container: Container
    let plan: RestorePlan
    let place: RestorePlace
    /// The cluster whose place it takes at the end; its data directory is `place` until then.
    let swap: ClusterSwap?
    /// What the user asked for, in their words.
    let requested: String
    let progress: Progress
    let interruption: Interruption

    package init(
        _ container: Container,
        plan: RestorePlan,
        requested: String,
        place: RestorePlace,
        swap: ClusterSwap? = nil,
        progress: Progress,
        interruption: Interruption
    ) {
        self.container = container
        self.plan = plan
        self.requested = requested
        self.place = place
        self.swap = swap
        self.progress = progress
        self.interruption = interruption
    }

    package struct Restored: Codable, Sendable {
        package var directory: String
        /// The cluster that it has replaced.
        package var kept: String?
        package var tablespaces: [String: String]
        package var copiedBytes: UInt64
        package var replayedBytes: UInt64
        package var stop: LSN
        package var timeline: TimelineID
        package var seconds: Double
        package var remarks: [String]
        package var isRunning = false
    }

    /// The tablespaces of a snapshot, by their oids.
    package static func tablespaces(_ container: Container, snapshot: String) throws -> [UInt32] {
        let tree = container.paths.snapshot(snapshot).tree
        guard FileTree.exists(tree.tablespaces) else { return [] }
        return try FileTree.list(tree.tablespaces).compactMap { UInt32($0) }
    }

    package func run() throws -> Restored {
        let restored = try fill()
        // From here on the old cluster may have the place's name: nothing is cleaned up any more.
        try swap?.exchange()
        return restored
    }

    private func fill() throws -> Restored {
        let begin = SystemClock.monotonicSeconds()
        try FaultPoint.pass("restore.checked")
        try hold()
        defer { RestoreHold.release(container) }
        do {
            try FaultPoint.pass("restore.marked")
            let copied = try copy()
            try FaultPoint.pass("restore.copied")
            try prepare()
            let timeline = try recover()
            try FaultPoint.pass("restore.recovered")
            progress.step("making it durable")
            var remarks = try RestoredSettings(place: place, plan: plan).write()
            if let swap { remarks = try swap.prepare(place, progress) }
            try markForArchiving(timeline)
            let installation = try container.installation()
            remarks += try RestoredSettings.withholdArchiving(installation: installation, data: place.data)
            remarks += RestoredSettings.remarks(installation: installation, data: place.data)
            try place.finish()
            return Restored(
                directory: swap?.data ?? place.data,
                kept: swap?.kept,
                tablespaces: Dictionary(uniqueKeysWithValues: place.tablespaces.map { ("\($0.key)", $0.value) }),
                copiedBytes: copied,
                replayedBytes: plan.debtBytes,
                stop: plan.stop,
                timeline: timeline,
                seconds: SystemClock.monotonicSeconds() - begin,
                remarks: remarks
            )
        } catch {
            try giveUp(error)
        }
    }

    /// What was interrupted leaves nothing; what failed stays, for a look at why.
    private func giveUp(_ error: any Error) throws -> Never {
        if let server = PostgresServer.find(dataDirectory: place.data) {
            try? server.stop(.immediate, timeoutSeconds: 30)
        }
        do {
            try interruption.check()
        } catch {
            progress.note("removing what was restored so far")
            try place.clear()
            swap?.removeEmpty(place)
            throw error
        }
        throw error
    }

    private func hold() throws {
        let lock = try ContainerChange.lock(container, for: "restore", interruption: interruption)
        defer { lock.release() }
        // The plan was made without the lock.
        _ = try SnapshotCatalog(container).find(plan.snapshot)
        // Another one may have begun in the same place meanwhile.
        try swap?.clearPending()
        try place.check(container)
        try place.begin(plan)
        try RestoreHold.take(container, plan: plan, directory: place.data)
    }

    // MARK: - Copying

    private func copy() throws -> UInt64 {
        let tree = container.paths.snapshot(plan.snapshot).tree
        let total = try FileTree.byteCount(of: tree.root)
        progress.step("copying snapshot '\(plan.snapshot)'")
        let counter = Counter()
        let progress = progress
        func copied(_ bytes: UInt64) {
            counter.done &+= bytes
            progress.report(.bytes(done: min(counter.done, total), total: total))
        }
        var options = CopyOptions(interrupt: interruption.descriptor)
        for oid in place.tablespaces.keys.sorted() {
            guard let target = place.tablespaces[oid] else { continue }
            try FileTree.copyContents(of: tree.tablespace(oid), into: target, options: options, copied: copied)
        }
        options.emptyDirectories = ["pg_wal", "pg_tblspc"]
        try FileTree.copyContents(of: tree.data, into: place.data, options: options, copied: copied)
        return counter.done
    }

    private final class Counter {
        var done: UInt64 = 0
    }

    private func prepare() throws {
        try CloneTree.removeRemains(data: place.data)
        try DurableFile.replace("\(place.data)/postgresql.auto.conf", text: "", mode: 0o600)
        for (oid, directory) in place.tablespaces {
            try FileTree.makeLink("\(place.data)/pg_tblspc/\(oid)", to: directory)
        }
        try FileTree.makeDirectory("\(place.data)/pg_wal/archive_status", mode: 0o700, parents: true)
        try DurableFile.replace("\(place.data)/standby.signal", text: "", mode: 0o600)
    }

    // MARK: - Recovering

    private func recover() throws -> TimelineID {
        progress.step("recovering to \(plan.stop)")
        let log = RecoveryLog(path: "\(place.data)/recovery.log", plan: plan, requested: requested)
        let begin = SystemClock.monotonicSeconds()
        log.begins()
        let socketDirectory = "\(container.paths.run)/r\(getpid())"
        if let objection = SocketDirectory.objection(to: socketDirectory, port: Self.port) {
            throw ArchiveError(.refused, objection, hint: "use a shorter path for the container")
        }
        try FileTree.makeDirectory(socketDirectory, mode: 0o700, parents: false)
        defer { try? FileTree.removeTree(socketDirectory) }
        let server = try PostgresServer.start(try launch(socketDirectory))
        let recovery = TargetRecovery(
            title: "the restored cluster",
            server: server,
            redo: plan.redo,
            wal: wal,
            writeAheadLog: "\(place.data)/pg_wal",
            logDirectory: place.log,
            logHint: "the whole log is in \(place.log); the same command begins anew",
            connect: {
                try LocalLink.connect(container: container, socketDirectory: socketDirectory, port: Self.port)
            },
            segmentSize: container.segmentSize,
            progress: progress,
            interruption: interruption
        )
        let timeline: TimelineID
        do {
            timeline = try recovery.run()
        } catch {
            // By what was started: before it has written its postmaster.pid nobody finds it.
            try? server.stop(.immediate, timeoutSeconds: 30)
            log.failed(error)
            throw error
        }
        log.ended(timeline: timeline, seconds: SystemClock.monotonicSeconds() - begin)
        progress.step("shutting it down cleanly")
        try server.stop(.fast, timeoutSeconds: nil)
        return timeline
    }

    /// Only the name of a socket in a directory of its own.
    private static let port = 5432

    private func launch(_ socketDirectory: String) throws -> ServerLaunch {
        try FileTree.makeDirectory(place.log, mode: 0o700, parents: true)
        let buffers = ServerSettings.sharedBuffers(container.settings.cloneSharedBuffers, share: 8, atMost: 2 << 30)
        try DurableFile.replace(
            place.configuration,
            text: "shared_buffers = \(buffers)\nmax_wal_size = 4GB\nwal_level = replica\nhuge_pages = off\n"
        )
        try DurableFile.replace(place.hostBasedAuthentication, text: LocalServerFiles.socketOnlyAuthentication)
        try DurableFile.replace(place.identMap, text: "")
        var settings = ServerSettings.isolation(major: container.identity.major)
        settings += ServerSettings.logging(directory: place.log)
        settings += plan.parameters.settings
        settings += [
            ("hba_file", place.hostBasedAuthentication),
            ("ident_file", place.identMap),
            // Nobody but this process may reach it before it has recovered.
            ("listen_addresses", ""),
            ("cluster_name", "pgarchive \(container.name) restore"),
            ("shared_preload_libraries", ServerSettings.withoutJobs(container.settings.preloadLibraries)),
            // All of it is made durable once, at the end; until then it counts as half-made.
            ("fsync", "off"),
            ("restore_command", try wal.command()),
        ]
        settings += wal.settings
        return ServerLaunch(
            installation: try container.installation(),
            dataDirectory: place.data,
            configurationFile: place.configuration,
            settings: settings,
            socketDirectory: socketDirectory,
            port: Self.port,
            logFile: "\(place.log)/startup.log",
            logDirectory: place.log,
            role: container.identity.superuser
        )
    }

    private var wal: RecoveryWAL {
        RecoveryWAL(
            container: container,
            path: plan.path,
            stop: plan.stop,
            endFile: place.endFile,
            takesNewTimeline: true
        )
    }

    /// Promoted without archiving, the new timeline's history would never be archived, should the server archive later.
    private func markForArchiving(_ timeline: TimelineID) throws {
        let path = "\(place.data)/pg_wal/archive_status/\(timeline.historyFileName).ready"
        try DurableFile.replace(path, text: "", mode: 0o600)
    }

    // MARK: - Starting

    /// Starts the restored server with its own settings.
    package func start() throws {
        let data = swap?.data ?? place.data
        let tool = try container.installation().tool("pg_ctl")
        let output = try ProcessSpawn.run(
            SpawnRequest(
                executable: tool,
                arguments: ["-D", data, "-l", "\(data)/startup.log", "-w", "-t", "86400", "start"],
                environment: ServerLaunch.standardEnvironment(),
                workingDirectory: "/"
            )
        )
        guard output.status.isSuccess else {
            throw ArchiveError(
                .failed,
                "the cluster is restored, and did not start",
                hint: "look at \(data)/startup.log, then: \(tool) -D \(data) start",
                details: LogTail.lines("\(data)/startup.log", count: 10)
            )
        }
    }
}
