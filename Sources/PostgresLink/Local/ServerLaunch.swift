internal import ArchiveModel
package import Platform

/// Everything that a start of a local server needs.
package struct ServerLaunch: Sendable {
    package var installation: PostgresInstallation
    package var dataDirectory: String
    /// Nil means `postgresql.conf` in the data directory.
    package var configurationFile: String?
    /// Settings of this start, which win over every file.
    package var settings: [(name: String, value: String)]
    /// Also goes on the command line, as does `port`.
    package var socketDirectory: String
    package var port: Int
    /// Takes what the server says before its log collector runs; appended to.
    package var logFile: String
    /// Where the CSV log goes (`log_directory`), so that a failed start can be explained; nil when there is none.
    package var logDirectory: String?
    /// The whole environment of the server and of its restore_command.
    package var environment: [String: String]
    /// Whom to become, nil to stay who we are; PostgreSQL refuses root.
    package var user: SpawnUser?
    /// As whom to ask whether it is ready; any answer will do, so the role need not exist.
    package var role: String
    package var database: String
    /// Stops at once when the thread that starts it ends.
    package var endsWithParent = false

    package init(
        installation: PostgresInstallation,
        dataDirectory: String,
        configurationFile: String? = nil,
        settings: [(name: String, value: String)] = [],
        socketDirectory: String,
        port: Int,
        logFile: String,
        logDirectory: String? = nil,
        environment: [String: String] = ServerLaunch.standardEnvironment(),
        user: SpawnUser? = nil,
        role: String = "postgres",
        database: String = "postgres"
    ) {
        self.installation = installation
        self.dataDirectory = dataDirectory
        self.configurationFile = configurationFile
        self.settings = settings
        self.socketDirectory = socketDirectory
        self.port = port
        self.logFile = logFile
        self.logDirectory = logDirectory
        self.environment = environment
        self.user = user
        self.role = role
        self.database = database
    }

    /// The C locale, so that logs are in English whoever starts it; the zone and the home directory stay.
    package static func standardEnvironment(
        of caller: [String: String] = LibpqEnvironment.current()
    ) -> [String: String] {
        var environment = [
            "LANG": "C",
            "LC_ALL": "C",
            "PATH": "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin",
        ]
        for kept in ["TZ", "HOME", "USER", "LOGNAME"] {
            if let value = caller[kept] { environment[kept] = value }
        }
        return environment
    }

    var arguments: [String] {
        var arguments = ["-D", dataDirectory]
        if let configurationFile { arguments += ["-c", "config_file=\(configurationFile)"] }
        for setting in settings { arguments += ["-c", "\(setting.name)=\(setting.value)"] }
        return arguments + [
            "-c", "log_line_prefix=\(StartLog.linePrefix)",
            "-c", "unix_socket_directories=\(SocketDirectory.quoted(socketDirectory))", "-c", "port=\(port)",
        ]
    }
}

/// The directory of a server's Unix socket.
package enum SocketDirectory {
    /// Bytes that the path of a socket may have (`sun_path` without its ending NUL, unix(7)).
    package static let pathLimitBytes = 107

    /// The path of the socket that a server on `port` makes there.
    package static func socketPath(_ directory: String, port: Int) -> String {
        FilePath.join(directory, ".s.PGSQL.\(port)")
    }

    /// Whether a server can make its socket there, whatever its port.
    package static func isShortEnough(_ directory: String) -> Bool {
        socketPath(directory, port: 65535).utf8.count <= pathLimitBytes
    }

    /// Why no server's socket can be in a directory; nil when it can.
    package static func objection(to directory: String, port: Int = 65535) -> String? {
        let path = socketPath(directory, port: port)
        if path.utf8.count > pathLimitBytes {
            return "the path of the server's socket has \(path.utf8.count) bytes, but at most \(pathLimitBytes) are "
                + "possible: \(path)"
        }
        // libpq takes `host` for a list, and knows no quotes there.
        if directory.contains(",") { return "the directory of a server's socket cannot have a comma: \(directory)" }
        return nil
    }

    /// As `unix_socket_directories` wants it: a list, so a name with a comma or a space needs quotes.
    static func quoted(_ directory: String) -> String {
        "\"\(directory.replacingScalar("\"", with: "\"\""))\""
    }
}
