/// Every path inside a container.
///
/// No other file spells one.
package struct ContainerPaths: Hashable, Sendable {
    /// Absolute, without a trailing slash.
    package let root: String

    package init(root: String) {
        self.root = root
    }

    package var identity: String { "\(root)/container.json" }
    /// There while `container init` has not ended.
    package var initMark: String { "\(root)/initialising.json" }
    package var initLock: String { "\(root)/initialising.lock" }
    package var settings: String { "\(root)/pgarchive.toml" }

    package var walArchive: String { "\(root)/wal_archive" }

    package var index: String { "\(root)/index.sqlite" }

    package var standby: String { "\(root)/standby" }
    /// The user's own settings for the standby, which may not exist.
    package var standbyExtra: String { "\(root)/standby.conf" }
    package var standbyTree: ServerTree { ServerTree(root: standby) }

    package var snapshots: String { "\(root)/snapshots" }
    package func snapshot(_ name: String) -> SnapshotPaths { SnapshotPaths(directory: "\(snapshots)/\(name)") }

    package var clones: String { "\(root)/clones" }
    package func clone(_ name: String) -> ClonePaths { ClonePaths(directory: "\(clones)/\(name)") }

    package var log: String { "\(root)/log" }
    package var receiverLog: String { "\(log)/wal_archive.log" }
    package var standbyLog: String { "\(log)/standby" }
    package var supervisorLog: String { "\(log)/supervisor.log" }
    package func cronLog(_ job: String) -> String { "\(log)/cron_\(job).log" }

    package var run: String { "\(root)/run" }
    package var desiredState: String { "\(run)/desired.json" }
    package var desiredLock: String { "\(run)/desired.lock" }
    package var supervisorLock: String { "\(run)/supervisor.lock" }
    /// Held by what starts a supervisor again when it dies.
    package var restarterLock: String { "\(run)/restarter.lock" }
    package var receiverLock: String { "\(run)/receiver.lock" }
    package var receiverStatus: String { "\(run)/receiver.json" }
    package var changeLock: String { "\(run)/change.lock" }
    package func cloneLock(_ name: String) -> String { "\(run)/clone-\(name).lock" }
    /// Held by everybody who looks into a clone that is thrown away.
    package func lookLease(_ name: String) -> String { "\(run)/\(name).lease" }
    /// The look whose lease has this name in `run`.
    package static func look(ofLease name: String) -> String? {
        name.hasPrefix("look-") && name.hasSuffix(".lease") ? String(name.dropLast(".lease".count)) : nil
    }
    /// Held by who makes a snapshot's image.
    package var readyLock: String { "\(run)/ready.lock" }
    package var compressionLock: String { "\(run)/compression.lock" }
    package var controlSocket: String { "\(run)/control.sock" }
    package var standbyHold: String { "\(run)/standby.hold" }
    package var lastVerification: String { "\(run)/verify.json" }
    /// What PostgreSQL said of its version, so that it is not asked each time.
    package var installation: String { "\(run)/postgres.json" }
    /// How quickly recoveries went.
    package var replayRate: String { "\(run)/replay.json" }
    /// What a process has for itself while it lives.
    package enum ProcessFile: String, CaseIterable, Sendable {
        /// What a restore reads of the container.
        case restoreHold = "restore"
        /// Where an import unpacks.
        case importWork = "import"
        /// The socket of a server that becomes an image.
        case imageSocket = "image"
        /// What an undo takes from the past, on its way.
        case undoWork = "undo"
    }
    package func file(_ kind: ProcessFile, of pid: Int32) -> String { "\(run)/\(kind.rawValue)-\(pid)" }
    /// The process of a file in `run`; nil for another file.
    package static func process(of name: String, _ kind: ProcessFile) -> Int32? {
        guard name.hasPrefix("\(kind.rawValue)-") else { return nil }
        return Int32(name.dropFirst(kind.rawValue.count + 1))
    }
    package var copies: String { "\(root)/copies" }
    package func copy(_ name: String) -> String { "\(copies)/\(name)" }
    package func copyStatus(_ name: String) -> String { "\(run)/copy-\(name).json" }
    package func copyLock(_ name: String) -> String { "\(run)/copy-\(name).lock" }
    package func copyLog(_ name: String) -> String { "\(log)/copy_\(name).log" }
    package var indexLock: String { "\(run)/index.lock" }
    package var indexStatus: String { "\(run)/index.json" }
    package var snapshotSpace: String { "\(run)/space.json" }
    package var cloneSpace: String { "\(run)/clone-space.json" }

    /// The directory of the standby's and the clones' Unix sockets.
    package var socketDirectory: String { run }
}

/// A copy of a cluster: what a snapshot holds and a server runs on.
package struct ServerTree: Hashable, Sendable {
    package let root: String

    package init(root: String) {
        self.root = root
    }

    package var data: String { "\(root)/data" }
    package var tablespaces: String { "\(root)/tablespaces" }
    package func tablespace(_ oid: UInt32) -> String { "\(tablespaces)/\(oid)" }
    package var controlFile: String { "\(data)/global/pg_control" }
    package var backupLabel: String { "\(data)/backup_label" }
    package var writeAheadLog: String { "\(data)/pg_wal" }
    package var tablespaceLinks: String { "\(data)/pg_tblspc" }
    package var postmasterPid: String { "\(data)/postmaster.pid" }
    /// Upstream's ALTER SYSTEM as the base backup had it; a restored cluster gets it back.
    package var upstreamAutoConfiguration: String { "\(data)/postgresql.auto.conf.upstream" }
    package var autoConfiguration: String { "\(data)/postgresql.auto.conf" }
    package var standbySignal: String { "\(data)/standby.signal" }
    package var recoverySignal: String { "\(data)/recovery.signal" }
}

package struct SnapshotPaths: Hashable, Sendable {
    package let directory: String

    package var record: String { "\(directory)/snapshot.json" }
    package var root: String { "\(directory)/root" }
    package var tree: ServerTree { ServerTree(root: root) }
    /// Its image, from which a clone of its own moment starts without recovery.
    package var readyRecord: String { "\(directory)/ready.json" }
    package var readyRoot: String { "\(directory)/ready" }
    package var readyTree: ServerTree { ServerTree(root: readyRoot) }
    /// What the image's server needs while it is made.
    package var making: String { "\(directory)/making" }
}

package struct ClonePaths: Hashable, Sendable {
    package let directory: String

    package var record: String { "\(directory)/clone.json" }
    /// Empty, while it is being made: a record beside it that cannot be decoded was lost with its host before any sync.
    package var making: String { "\(directory)/making" }
    package var root: String { "\(directory)/root" }
    package var tree: ServerTree { ServerTree(root: root) }
    /// Empty: its time is when the clone was used last.
    package var used: String { "\(directory)/used" }
    /// The nth script that its maker had run.
    package static func script(_ number: Int) -> String { "run-\(number).sql" }
    package var certificate: String { "\(directory)/server.crt" }
    package var certificateKey: String { "\(directory)/server.key" }
    package var log: String { "\(directory)/log" }
    /// What each recovery was asked for, and where it stopped.
    package var recoveryLog: String { "\(log)/recovery.log" }
    /// What users edit; never overwritten.
    package var configuration: String { "\(directory)/postgresql.conf" }
    /// Of a look: where its recovery ends.
    package var target: String { "\(directory)/target.conf" }
    package var hostBasedAuthentication: String { "\(directory)/pg_hba.conf" }
    /// What takes its place once all is done in the clone that was asked for.
    package var laterAuthentication: String { "\(hostBasedAuthentication).later" }
    package var identMap: String { "\(directory)/pg_ident.conf" }
}
