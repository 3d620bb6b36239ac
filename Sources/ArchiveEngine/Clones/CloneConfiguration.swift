import ArchiveModel
import Platform
import PostgresLink
import WALFormat

/// A clone's files, written once for its user to edit, and what it is started with.
struct CloneConfiguration {
    let container: Container
    let record: CloneRecord

    private var paths: ClonePaths { container.paths.clone(record.name) }

    func writeFiles() throws {
        try FileTree.makeDirectory(paths.log, mode: 0o700, parents: true)
        try DurableFile.replace(paths.configuration, text: configuration, mode: 0o600)
        try DurableFile.replace(paths.hostBasedAuthentication, text: Self.authentication, mode: 0o600)
        try DurableFile.replace(paths.identMap, text: "", mode: 0o600)
    }

    func copyFiles(from source: ClonePaths) throws {
        try FileTree.makeDirectory(paths.log, mode: 0o700, parents: true)
        for (from, to) in [
            (source.configuration, paths.configuration),
            (source.hostBasedAuthentication, paths.hostBasedAuthentication),
            (source.identMap, paths.identMap),
        ] {
            try DurableFile.replace(to, text: try FileTree.readText(from), mode: 0o600)
        }
    }

    private var configuration: String {
        let buffers = ServerSettings.sharedBuffers(
            container.settings.cloneSharedBuffers,
            share: 8,
            atMost: 2 << 30
        )
        return """
            # Settings of clone '\(record.name)'. Written once: edit what you like, before the first start or later.
            # What isolation and recovery need (port, archiving, replication, recovery) is given at each start and wins.
            listen_addresses = 'localhost'
            shared_buffers = \(buffers)
            max_wal_size = 4GB
            min_wal_size = 80MB
            wal_level = replica
            huge_pages = off
            """ + "\n"
    }

    private static let authentication = """
        # The Unix socket lies in a directory that belongs to the container's owner alone.
        local all all trust
        # Over the network of this host only with the passwords of the original.
        host all all 127.0.0.1/32 scram-sha-256
        host all all ::1/128 scram-sha-256
        """ + "\n"

    /// - Parameter recovering: the clone has still to recover to its target.
    func launch(recovering: Bool) throws -> ServerLaunch {
        var settings = ServerSettings.isolation(major: container.identity.major)
        settings += ServerSettings.logging(directory: paths.log)
        settings += record.parameters.settings
        settings += [
            ("hba_file", paths.hostBasedAuthentication),
            ("ident_file", paths.identMap),
            ("cluster_name", "pgarchive \(container.name) clone \(record.name)"),
            ("shared_preload_libraries", withoutJobs(container.settings.preloadLibraries)),
        ]
        if recovering {
            settings += [
                ("hot_standby", "on"),
                ("restore_command", try restoreCommand()),
                ("recovery_target_timeline", String(record.path.target.rawValue)),
                ("recovery_prefetch", "off"),
                ("wal_retrieve_retry_interval", "20ms"),
            ]
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

    private func restoreCommand() throws -> String {
        ShellWord.restoreCommand([
            try ThisProgram.walHelper(), "fetch",
            "--archive", container.paths.walArchive,
            "--segment-size", String(container.segmentSize.bytes),
            "--system-identifier", String(container.identity.systemIdentifier),
            "--path", record.path.description,
            "--until", record.stop.description,
            "--end-file", endFile,
        ])
    }

    /// Touched by fetch when the clone asks for WAL beyond its target.
    var endFile: String { "\(paths.directory)/recovery.end" }

    /// Libraries that would begin to work by themselves once the clone is a primary.
    private func withoutJobs(_ libraries: String) -> String {
        libraries.split(separator: ",").map { $0.filter { $0 != " " } }
            .filter { $0 != "pg_cron" }
            .joined(separator: ",")
    }
}
