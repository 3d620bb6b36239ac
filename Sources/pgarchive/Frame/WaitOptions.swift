import ArchiveEngine
import ArchiveModel
import ArgumentParser

/// How long a start or stop is waited for, spelled as for pg_ctl.
struct WaitOptions: ParsableArguments {
    @Option(
        name: [.customShort("t"), .long],
        help: ArgumentHelp("How long to wait; as long as it takes if not given.", valueName: "seconds")
    )
    var timeout: Double?

    @Flag(name: [.customShort("W"), .long], help: "Do not wait.")
    var noWait = false

    // What is done anyway; scripts written for pg_ctl say it.
    @Flag(name: [.customShort("w"), .customLong("wait")], help: .hidden)
    var waits = false

    func validate() throws {
        if let timeout, !(timeout > 0 && timeout <= 86_400) {
            throw ValidationError("--timeout is 1 to 86400 seconds")
        }
        if noWait, timeout != nil || waits { throw ValidationError("--no-wait and --timeout exclude each other") }
    }

    var isLimited: Bool { noWait || timeout != nil }

    /// Nil means as long as it takes.
    var seconds: Double? { noWait ? 0 : timeout }

    func patience(_ render: Render) -> Patience {
        Patience(seconds: seconds) { render.remark($0) }
    }
}

/// Options of pg_ctl that mean nothing to a server whose start is all generated: refused with what to do instead.
struct PgCtlOptions: ParsableArguments {
    @Option(name: .customShort("o"), parsing: .unconditional, help: .hidden)
    var serverOptions: String?

    @Option(name: .customShort("l"), help: .hidden)
    var logFile: String?

    @Option(name: [.customShort("D"), .customLong("pgdata")], help: .hidden)
    var dataDirectory: String?

    /// - Parameters:
    ///   - server: in words.
    ///   - settings: the file that takes settings instead.
    ///   - logs: where they are, and the command that shows them.
    private func refuse(_ server: String, settings: String, logs: (directory: String, command: String)) throws {
        if serverOptions != nil {
            throw ArchiveError(
                .usage,
                "\(server) takes no options of its server from the command line (-o)",
                hint: "write settings into \(settings), where each start finds them"
            )
        }
        if logFile != nil {
            throw ArchiveError(
                .usage,
                "the log of \(server) is where it is (-l)",
                hint: "it lies in \(logs.directory); '\(logs.command)' shows it"
            )
        }
        if dataDirectory != nil {
            throw ArchiveError(
                .usage,
                "the data directory of \(server) is the container's (-D)",
                hint: "choose a container with --container NAME"
            )
        }
    }

    func refuse(in container: Container) throws {
        try refuse(
            "the standby",
            settings: container.paths.standbyExtra,
            logs: (container.paths.standbyLog, "pgarchive standby log")
        )
    }

    func refuse(forClone name: String, in container: Container) throws {
        let paths = container.paths.clone(name)
        try refuse(
            "clone '\(name)'",
            settings: paths.configuration,
            logs: (paths.log, "pgarchive clone log \(name)")
        )
    }
}
