package import ArchiveModel
import Platform
import PostgresLink
import WALFormat

/// What the standby runs with: files that are generated at each start, never the upstream's own.
package struct StandbyConfiguration: Sendable {
    /// The number in the name of the standby's Unix socket; it listens on no network.
    package static let port = 5432

    let container: Container
    let parameters: HotStandbyParameters

    /// - Parameter parameters: at least what upstream had when the WAL to be replayed was written.
    package init(container: Container, parameters: HotStandbyParameters) {
        self.container = container
        self.parameters = parameters
    }

    private var directory: String { container.paths.standby }

    /// Writes the files, and says how to start the server.
    func prepare() throws -> ServerLaunch {
        let installation = try container.installation()
        let tree = container.paths.standbyTree
        try FileTree.makeDirectory(container.paths.standbyLog, mode: 0o700, parents: true)
        // PostgreSQL would log a line for a file that is not there.
        let extra = container.paths.standbyExtra
        if !FileTree.exists(extra) { try DurableFile.replace(extra, text: LocalServerFiles.noSettings, mode: 0o600) }
        try write("postgresql.conf", LocalServerFiles.standbyConfiguration(extra: extra))
        try write("pg_hba.conf", LocalServerFiles.socketOnlyAuthentication)
        try write("pg_ident.conf", "")
        // Upstream's ALTER SYSTEM would win over every file.
        try DurableFile.replace(tree.autoConfiguration, text: "", mode: 0o600)
        try DurableFile.replace(tree.standbySignal, text: "", mode: 0o600)
        return ServerLaunch(
            installation: installation,
            dataDirectory: tree.data,
            configurationFile: "\(directory)/postgresql.conf",
            settings: try settings(),
            socketDirectory: container.paths.socketDirectory,
            port: Self.port,
            logFile: "\(container.paths.standbyLog)/startup.log",
            logDirectory: container.paths.standbyLog,
            role: container.identity.superuser
        )
    }

    private func settings() throws -> [(name: String, value: String)] {
        ServerSettings.isolation(major: container.identity.major)
            + ServerSettings.logging(directory: container.paths.standbyLog)
            + parameters.settings
            + [
                ("hba_file", "\(directory)/pg_hba.conf"),
                ("ident_file", "\(directory)/pg_ident.conf"),
                ("listen_addresses", ""),
                ("cluster_name", "pgarchive \(container.name) standby"),
                ("hot_standby", "on"),
                ("recovery_target_timeline", "latest"),
                ("restore_command", try restoreCommand()),
                // With prefetching, replay stays a whole segment behind a restore_command that waits.
                ("recovery_prefetch", "off"),
                ("wal_retrieve_retry_interval", "100ms"),
                ("shared_preload_libraries", container.settings.preloadLibraries),
                (
                    "shared_buffers",
                    ServerSettings.sharedBuffers(container.settings.standbySharedBuffers, share: 8, atMost: 1 << 30)
                ),
            ]
    }

    private func restoreCommand() throws -> String {
        try container.restoreCommand(["--hold-file", container.paths.standbyHold, "--wait"])
    }

    private func write(_ name: String, _ text: String) throws {
        try DurableFile.replace("\(directory)/\(name)", text: text, mode: 0o600)
    }
}

/// Texts of the files that a local server is given.
enum LocalServerFiles {
    static let socketOnlyAuthentication = """
        # Only the Unix socket, in a directory that belongs to the container's owner alone.
        local all all trust
        """ + "\n"

    static let noSettings =
        "# Settings of your own for the standby. 'pgarchive standby reload' or 'restart' reads them.\n"

    static func standbyConfiguration(extra: String) -> String {
        """
        # Written anew at each start of the standby. Settings of your own belong in the file named below.
        max_standby_archive_delay = 30s
        include_if_exists = \(ServerConfiguration.quoted(extra))
        """ + "\n"
    }
}
