package import ArchiveModel
import Platform
package import PostgresLink
import WALFormat
import WALStore

/// Makes a container: from a look at the upstream to a standby that is consistent and replays.
///
/// Whatever goes wrong, and when it is interrupted, neither slot nor directory stays behind. What a killed init left
/// is found by its mark and removed by the next one.
package struct ContainerInit: Sendable {
    package struct Options: Sendable {
        package var root: String
        package var name: String
        package var upstream: String
        package var upstreamReplication: String
        package var slot: String
        package var driver: StorageDriverKind?
        package var owner: String
        package var checkpoint: BaseBackupTool.Checkpoint
        /// What to begin with instead of a base backup.
        package var coldCopy: ColdCopy?

        package init(
            root: String,
            name: String,
            upstream: String,
            upstreamReplication: String,
            slot: String,
            driver: StorageDriverKind?,
            owner: String,
            checkpoint: BaseBackupTool.Checkpoint,
            coldCopy: ColdCopy? = nil
        ) {
            self.root = root
            self.name = name
            self.upstream = upstream
            self.upstreamReplication = upstreamReplication
            self.slot = slot.isEmpty ? StandardSlot.name(container: name) : slot
            self.driver = driver
            self.owner = owner
            self.checkpoint = checkpoint
            self.coldCopy = coldCopy
        }

        var replication: String {
            upstreamReplication.isEmpty ? StandardReplication.text(upstream) : upstreamReplication
        }
    }

    let options: Options
    let progress: Progress
    let interruption: Interruption
    private var paths: ContainerPaths { ContainerPaths(root: options.root) }

    package init(_ options: Options, progress: Progress, interruption: Interruption) {
        self.options = options
        self.progress = progress
        self.interruption = interruption
    }

    /// Runs as the owner; a pool is mounted already.
    package func run() throws -> Container {
        let place = InitPlace(paths: paths, interruption: interruption)
        try place.checkPath()
        let upstream = try readUpstream()
        _ = try place.leftover()
        let isNew = !FileTree.exists(options.root)
        // Where nothing is yet, nothing is made before the upstream is known to be fit.
        let facts = isNew ? try preflight(upstream) : nil
        let lock = try place.take()
        var isOurs = isNew
        do {
            if try place.leftover() != nil {
                isOurs = true
                progress.note("removing what an interrupted init left in \(options.root)")
                try takeBackLeftover()
            }
            let container = try make(upstream, facts: try facts ?? preflight(upstream))
            place.leave(lock, removing: false)
            return container
        } catch {
            place.leave(lock, removing: isOurs)
            throw error
        }
    }

    /// All or nothing.
    private func make(_ upstream: Upstream, facts: UpstreamFacts) throws -> Container {
        let copy = try options.coldCopy?.check(facts)
        do {
            try FaultPoint.pass("init.locked")
            try InitMark(slot: options.slot, upstream: options.replication).write(paths)
            try FaultPoint.pass("init.marked")
            let container = try lay(facts)
            let segments = try copy.map { try options.coldCopy?.seedArchive(container, $0) ?? [] } ?? []
            progress.step("creating slot '\(upstream.slot)', and receiving WAL from it")
            try makeSlot(upstream)
            try FaultPoint.pass("init.afterSlot")
            try startReceiver(container)
            try makeStandbyTree(container) { tree in
                if let copy {
                    try options.coldCopy?.copy(
                        to: tree,
                        copy,
                        segments: segments,
                        progress: progress,
                        interruption: interruption
                    )
                } else {
                    try backUp(container, facts: facts, replication: upstream.replication)
                }
            }
            try FaultPoint.pass("init.afterBackup")
            try startStandby(container)
            try handOver(container)
            return container
        } catch {
            progress.note("undoing what was done so far")
            InitUndo(paths: paths).runQuietly(progress)
            throw error
        }
    }

    // MARK: - Before anything is changed

    private func takeBackLeftover() throws {
        do {
            try InitUndo(paths: paths).run()
        } catch let error as LinkError where error.kind != .local {
            throw ArchiveError(
                ErrorTranslation.archiveError(error)?.code ?? .failed,
                "the slot of the interrupted init cannot be dropped: \(error)",
                hint: "make its upstream reachable and run init again, or 'pgarchive container purge' it",
                details: [(try? InitMark.read(paths))??.slotRemark].compactMap { $0 }
            )
        }
    }

    private struct Upstream {
        let sql: ConnectionString
        let replication: ConnectionString
        let slot: SlotName
    }

    private func readUpstream() throws -> Upstream {
        let (sql, replication) = try connections()
        guard let slot = SlotName(options.slot) else {
            throw ArchiveError(
                .usage,
                "'\(options.slot)' is not a replication slot's name",
                hint: "use a-z, 0-9 and '_', at most 63 characters"
            )
        }
        return Upstream(sql: sql, replication: replication, slot: slot)
    }

    private func connections() throws -> (sql: ConnectionString, replication: ConnectionString) {
        do {
            return (try ConnectionString(options.upstream), try ConnectionString(options.replication))
        } catch {
            guard error.kind == .invalidConnectionString else { throw error }
            throw ArchiveError(
                .usage,
                "the connection to the upstream is not a connection string: \(error.message)",
                hint: "write it as libpq does: --upstream 'host=db1 port=5432 user=postgres dbname=postgres'"
            )
        }
    }

    private func preflight(_ upstream: Upstream) throws -> UpstreamFacts {
        progress.step("looking at the upstream")
        let report = UpstreamPreflight(
            sql: upstream.sql,
            replication: upstream.replication,
            slot: options.slot,
            installedMajors: PostgresInstallation.all().map(\.major)
        ).run()
        for finding in report.findings where finding.severity != .refusal {
            progress.note(finding.what)
            if let fix = finding.fix { progress.note("  fix: " + fix.split(separator: "\n").joined(separator: " ")) }
        }
        guard report.isPassed, let facts = report.facts else { throw PreflightFailure.error(report) }
        guard facts.superuser != nil else {
            throw ArchiveError(
                .refused,
                "the upstream has no superuser that may log in; the standby and the clones are managed as one",
                hint: "CREATE ROLE pgarchive_admin SUPERUSER LOGIN;"
            )
        }
        return facts
    }

    // MARK: - The container

    private func lay(_ facts: UpstreamFacts) throws -> Container {
        let driver = try chooseDriver()
        for directory in [paths.walArchive, paths.snapshots, paths.clones, paths.log, paths.run] {
            try FileTree.makeDirectory(directory, mode: 0o700)
        }
        var settings = Settings()
        settings.upstream = options.upstream
        settings.upstreamReplication = options.upstreamReplication
        settings.slot = options.slot
        try DurableFile.replace(paths.settings, text: SettingsFile.text(settings))
        let identity = ContainerIdentity(
            name: options.name,
            systemIdentifier: facts.systemIdentifier,
            major: facts.major.rawValue,
            segmentBytes: facts.segmentSize.bytes,
            driver: StorageDriverKind(rawValue: driver.kindName) ?? .copy,
            owner: options.owner,
            superuser: facts.superuser ?? "postgres",
            createdAt: PostgresTime(unixMicroseconds: SystemClock.now())
        )
        try JSONFile.replace(paths.identity, with: identity)
        try ArchiveMark.write(paths.walArchive, systemIdentifier: facts.systemIdentifier)
        try FaultPoint.pass("init.laid")
        return try Container.open(options.root)
    }

    /// The mark says before and after how far it came: a slot that is not ours is never dropped.
    private func makeSlot(_ upstream: Upstream) throws {
        var mark = InitMark(slot: options.slot, upstream: options.replication)
        do {
            try UpstreamSlots.create(upstream.replication, upstream.slot) { end in
                mark.askedAt = end
                try mark.write(paths)
                try FaultPoint.pass("init.slotAsked")
            }
        } catch let error as LinkError where error.sqlState == SQLState.duplicateObject {
            mark.askedAt = nil
            try mark.write(paths)
            throw error
        }
        try FaultPoint.pass("init.slotMade")
        mark.isMade = true
        try mark.write(paths)
    }

    private func chooseDriver() throws -> any StorageDriver {
        let working = try StorageProbe.drivers(at: options.root)
        guard let wanted = options.driver else {
            let best = working.first ?? CopyDriver()
            if best.kindName == StorageDriverKind.copy.rawValue {
                progress.note(
                    "this filesystem has no copy-on-write: each snapshot and each clone is a whole copy (driver 'copy')"
                )
            }
            return best
        }
        guard let driver = working.first(where: { $0.kindName == wanted.rawValue }) else {
            throw ArchiveError(
                .refused,
                "the driver '\(wanted.rawValue)' does not work in '\(options.root)'",
                hint: "here work: \(working.map(\.kindName).joined(separator: ", ")); --pool-size makes a btrfs pool"
            )
        }
        return driver
    }

    private func startReceiver(_ container: Container) throws {
        let receiver = try ReceiverPart(container: container).start()
        try FaultPoint.pass("init.receiverStarted")
        let deadline = SystemClock.monotonicSeconds() + 60
        while SystemClock.monotonicSeconds() < deadline {
            let status = try JSONFile.read(ReceiverStatus.self, from: paths.receiverStatus)
            if let status, status.state == .streaming || status.state == .catchingUp { return }
            // Of a cold copy that is too old.
            if let status, status.state == .gap || status.state == .diverged { break }
            guard receiver.isAlive else { break }
            try interruption.pause(milliseconds: 20)
        }
        let status = try JSONFile.read(ReceiverStatus.self, from: paths.receiverStatus)
        throw ArchiveError(
            .upstreamUnreachable,
            "the receiver does not stream: \(status?.reason ?? "it did not start")",
            hint: options.coldCopy == nil
                ? "check --upstream-repl: it must reach the same server"
                : "when the upstream has removed the WAL since the copy, make a new one; or leave --from-directory out",
            details: LogTail.lines(paths.receiverLog, count: 5)
        )
    }

    private func makeStandbyTree(_ container: Container, fill: (ServerTree) throws -> Void) throws {
        let tree = paths.standbyTree
        try container.driver.createVolume(tree.root)
        try FileTree.makeDirectory(tree.tablespaces, mode: 0o700)
        try fill(tree)
        try DurableFile.replace(
            tree.upstreamAutoConfiguration,
            text: try FileTree.readText(tree.autoConfiguration),
            mode: 0o600
        )
        try StandbyTree.relinkTablespaces(tree)
        try StandbyTree.requireContained(tree)
        try container.driver.sync(tree.root)
    }

    private func backUp(_ container: Container, facts: UpstreamFacts, replication: ConnectionString) throws {
        progress.step("waiting for the upstream's checkpoint (\(options.checkpoint.rawValue))")
        let tree = paths.standbyTree
        for tablespace in facts.tablespaces {
            try FileTree.makeDirectory(tree.tablespace(tablespace.oid), mode: 0o700)
        }
        let tool = BaseBackupTool(
            installation: try container.installation(),
            upstream: replication,
            directory: tree.data,
            checkpoint: options.checkpoint,
            tablespaces: facts.tablespaces.map { (from: $0.location, to: tree.tablespace($0.oid)) },
            upstreamArchives: facts.archives
        )
        var isCopying = false
        do {
            try tool.run(interrupt: interruption.descriptor) { state in
                // Before, nothing comes for up to minutes: that is no rate.
                guard state.phase != .waitingForCheckpoint else { return }
                if !isCopying { progress.step("copying the upstream's data") }
                isCopying = true
                progress.report(.bytes(done: state.bytesDone, total: state.bytesTotal == 0 ? nil : state.bytesTotal))
            }
        } catch {
            try interruption.check()
            throw ArchiveError(
                .failed,
                error.message,
                hint: error.hint ?? "mend that, and run init again; nothing is left of this one",
                details: error.log
            )
        }
    }

    private func startStandby(_ container: Container) throws {
        progress.step("starting the standby, and waiting until it is consistent")
        let server = try StandbyPart(container: container).launch()
        do {
            try server.waitUntilReady(timeoutSeconds: nil, interrupt: interruption.descriptor)
        } catch {
            try interruption.check()
            throw ArchiveError(
                .failed,
                "the standby did not become consistent: \(error.message)",
                hint: error.hint,
                details: error.log + LogTail.reasons(directory: paths.standbyLog)
            )
        }
    }

    private func handOver(_ container: Container) throws {
        try FaultPoint.pass("init.beforeDone")
        guard let mark = try InitMark.read(paths) else {
            throw ArchiveError(.failed, "'\(paths.initMark)' is gone", hint: "run init again")
        }
        // Before anything else uses the container: with the mark, a later init would take it for a leftover.
        try DurableFile.remove(paths.initMark)
        try FaultPoint.pass("init.done")
        do {
            _ = try SupervisorStart(container).start(parts: Part.allCases)
        } catch {
            // For the undoing, should that be interrupted too.
            try mark.write(paths)
            throw error
        }
    }
}
