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

    func patience(_ render: Render) -> Patience {
        Patience(seconds: noWait ? 0 : timeout) { render.remark($0) }
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

    func refuse(in container: Container) throws {
        if serverOptions != nil {
            throw ArchiveError(
                .usage,
                "the standby takes no options of its server from the command line (-o)",
                hint: "write settings into \(container.paths.standbyExtra), where each start finds them"
            )
        }
        if logFile != nil {
            throw ArchiveError(
                .usage,
                "the standby's log is where it is (-l)",
                hint: "it lies in \(container.paths.standbyLog); 'pgarchive standby log' shows it"
            )
        }
        if dataDirectory != nil {
            throw ArchiveError(
                .usage,
                "the standby's data directory is the container's (-D)",
                hint: "choose a container with --container NAME"
            )
        }
    }
}
