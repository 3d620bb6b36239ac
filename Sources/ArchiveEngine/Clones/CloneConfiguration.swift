import ArchiveModel
import Platform
import PostgresLink
import WALFormat

/// A clone's files, written once for its user to edit, and what it is started with.
struct CloneConfiguration {
    let container: Container
    let record: CloneRecord
    /// Nothing is left to replay in its copy.
    var hasRecovered = false

    private var paths: ClonePaths { container.paths.clone(record.name) }

    func writeFiles(_ terms: CloneTerms = CloneTerms()) throws {
        try FileTree.makeDirectory(paths.log, mode: 0o700, parents: true)
        try record.replace(paths.configuration, configuration + Self.lines(terms.settings))
        try record.replace(paths.identMap, "")
        try writeAccess(terms)
    }

    /// The files of the clone that it is a copy of, and what was said of it beyond them.
    ///
    /// - Parameter keepsAccess: who may connect to it may connect to this one.
    func copyFiles(from source: ClonePaths, _ terms: CloneTerms? = nil, keepsAccess: Bool = true) throws {
        try FileTree.makeDirectory(paths.log, mode: 0o700, parents: true)
        for (from, to) in [
            (source.configuration, paths.configuration),
            (source.hostBasedAuthentication, paths.hostBasedAuthentication),
            (source.identMap, paths.identMap),
        ] {
            try record.replace(to, try FileTree.readText(from))
        }
        guard let terms else {
            let own = (record.setup?.scripts ?? []).map(\.file) + ["server.crt", "server.key"]
            for file in own where FileTree.exists("\(source.directory)/\(file)") {
                let bytes = try FileTree.read("\(source.directory)/\(file)", limit: 256 << 20)
                try DurableFile.replace("\(paths.directory)/\(file)", bytes: bytes, mode: 0o600)
            }
            return
        }
        let text = try FileTree.readText(paths.configuration) + Self.lines(terms.settings)
        if !terms.settings.isEmpty { try record.replace(paths.configuration, text) }
        try writeAccess(terms, keepsAccess: keepsAccess)
    }

    /// Who may connect, and what has still to be done before anybody may.
    private func writeAccess(_ terms: CloneTerms, keepsAccess: Bool = false) throws {
        if record.isReachable { try CloneReach(container, record).writeCertificate() }
        for (script, given) in zip(record.setup?.scripts ?? [], terms.scripts) {
            try DurableFile.replace("\(paths.directory)/\(script.file)", bytes: given.text, mode: 0o600)
        }
        if !keepsAccess {
            let text = record.isReachable ? CloneReach.authentication : Self.authentication
            try record.replace(paths.hostBasedAuthentication, text)
        }
        if terms.hasSetup { try closeAccess() }
        guard let last = terms.settings.last else { return }
        let objection = try container.installation().objection(
            to: last.name,
            dataDirectory: paths.tree.data,
            configurationFile: paths.configuration
        )
        guard let objection else { return }
        throw ArchiveError(
            .usage,
            "PostgreSQL does not take these settings: \(objection)",
            hint: "--set NAME=VALUE takes what a postgresql.conf takes, e.g. --set work_mem=64MB"
        )
    }

    /// Only the owner gets in, over the socket; who does later is laid by.
    func closeAccess() throws {
        let later = try FileTree.readText(paths.hostBasedAuthentication)
        try DurableFile.replace(paths.laterAuthentication, text: later, mode: 0o600)
        try DurableFile.replace(paths.hostBasedAuthentication, text: "local all all trust\n", mode: 0o600)
    }

    func openAccess() throws {
        try DurableFile.rename(paths.laterAuthentication, paths.hostBasedAuthentication)
    }

    private static func lines(_ settings: [CloneSetting]) -> String {
        settings.isEmpty ? "" : "\n# Given when the clone was made.\n" + settings.map { "\($0.line)\n" }.joined()
    }

    private var configuration: String {
        """
        # Settings of clone '\(record.name)'. Written once: edit what you like, before the first start or later.
        # What isolation and recovery need (port, archiving, replication, recovery) is given at each start and wins.
        # The port is one of clone.ports in the container's pgarchive.toml; 'pgarchive clone list' shows it. In use
        # at a start, the clone gets another; a port written here has no effect.
        listen_addresses = '\(record.isLook ? "" : "localhost")'
        shared_buffers = \(sharedBuffers)
        # Cleared at each start, so that the 8MB which PostgreSQL would take by itself slow it down.
        wal_buffers = \(record.isLook ? "64kB" : "1MB")
        max_wal_size = 4GB
        min_wal_size = 80MB
        wal_level = replica
        huge_pages = off

        # The upstream's own, which recovery needs and is given. Once the clone has recovered, these here count.

        """ + record.parameters.settings.map { "\($0.name) = \($0.value)\n" }.joined()
            + (record.isLook ? Self.ofLook + (hasRecovered ? "" : "include = 'target.conf'\n") : "")
    }

    /// Who has little to replay gets less: to set up the headers of many buffers takes longer than the start itself.
    private var sharedBuffers: String {
        let most: UInt64 = 2 << 30
        let debt = hasRecovered ? 0 : min(record.stop.bytes(since: record.redo), most)
        return ServerSettings.sharedBuffers(
            container.settings.cloneSharedBuffers,
            // Ten take half of the memory.
            share: 20,
            atMost: min(most, (record.isLook ? 128 << 20 : 256 << 20) + 2 * debt)
        )
    }

    /// A look takes no writes and is thrown away: nothing of it need survive a crash, after which it would be let in
    /// before it is at its target again.
    private static let ofLook = """

        fsync = off
        restart_after_crash = off
        autovacuum = off
        default_transaction_read_only = on

        """

    private static let authentication = """
        # The Unix socket lies in a directory that belongs to the container's owner alone.
        local all all trust
        # Over the network of this host only with the passwords of the original.
        host all all 127.0.0.1/32 scram-sha-256
        host all all ::1/128 scram-sha-256
        """ + "\n"

    func launch(_ stage: CloneStage, walIsChecked: Bool) throws -> ServerLaunch {
        var settings = ServerSettings.isolation(major: container.identity.major)
        if record.isReachable {
            settings.removeAll { $0.name == "ssl" }
            settings += CloneReach(container, record).settings
        }
        settings += ServerSettings.logging(directory: paths.log)
        // Also for crash recovery after a promotion, which reads the upstream's WAL once more.
        settings += stage == .ready ? try preparedTransactions() : record.parameters.settings
        settings += [
            ("hba_file", paths.hostBasedAuthentication),
            ("ident_file", paths.identMap),
            ("cluster_name", "pgarchive \(container.name) clone \(record.name)"),
            ("shared_preload_libraries", ServerSettings.withoutJobs(container.settings.preloadLibraries)),
        ]
        if stage == .recovering {
            let wal = wal(isChecked: walIsChecked)
            settings += wal.settings
            // A look may go on to a later target while it runs, which no setting on the command line could.
            if record.isLook {
                try writeTarget(walIsChecked: walIsChecked)
            } else {
                settings.append(("restore_command", try wal.command()))
            }
        }
        return ServerLaunch(
            installation: try container.installation(),
            dataDirectory: paths.tree.data,
            configurationFile: paths.configuration,
            settings: settings,
            socketDirectory: container.paths.socketDirectory,
            port: record.port,
            logFile: "\(paths.log)/startup.log",
            logDirectory: paths.log,
            role: container.identity.superuser
        )
    }

    /// Where a look's recovery ends, in a file that its server reads again when told to.
    func writeTarget(walIsChecked: Bool) throws {
        let command = ServerConfiguration.quoted(try wal(isChecked: walIsChecked).command())
        try record.replace(paths.target, "restore_command = \(command)\n")
    }

    /// Prepared transactions that the clone still holds need their slots, whatever its user has set.
    private func preparedTransactions() throws -> [(name: String, value: String)] {
        let control = try ControlFileReader.read(paths.tree)
        // After a crash some are in its WAL only: never more than it was last started with.
        let held =
            control.state == .shutDown
            ? try FileTree.list("\(paths.tree.data)/pg_twophase").count : Int(control.maxPreparedTransactions)
        guard held > 0 else { return [] }
        let name = "max_prepared_transactions"
        let configured = try container.installation().setting(
            name,
            dataDirectory: paths.tree.data,
            configurationFile: paths.configuration
        )
        // Where the file cannot be read, the start itself says why.
        if let configured, (Int(configured) ?? 0) >= held { return [] }
        return [(name, String(held))]
    }

    /// - Parameter isChecked: all of it has just been read.
    func wal(isChecked: Bool = false) -> RecoveryWAL {
        RecoveryWAL(
            container: container,
            path: record.path,
            stop: record.stop,
            endFile: "\(paths.directory)/recovery.end",
            isChecked: isChecked
        )
    }
}
