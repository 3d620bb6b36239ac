import ArgumentParser

/// How the upstream is reached, by options or by the seed's environment.
struct UpstreamOptions: ParsableArguments {
    @Option(
        help: ArgumentHelp(
            "The connection for SQL, as libpq writes it. (default: $UPSTREAM, or the local server)",
            valueName: "connstr"
        )
    )
    var upstream: String?

    @Option(
        help: ArgumentHelp(
            "The connection for replication. (default: $UPSTREAM_REPL, or the one for SQL with user=replication)",
            valueName: "connstr"
        )
    )
    var upstreamRepl: String?

    @Option(help: "The replication slot. (default: $SLOT, or pgarchive_<container>)")
    var slot: String?

    var sql: String { upstream ?? Terminal.environment("UPSTREAM") ?? "" }
    var replication: String { upstreamRepl ?? Terminal.environment("UPSTREAM_REPL") ?? "" }
    var slotName: String { slot ?? Terminal.environment("SLOT") ?? "" }

    /// The same for a child, out of sight of ps.
    var environment: [String: String] {
        ["UPSTREAM": sql, "UPSTREAM_REPL": replication, "SLOT": slotName].filter { !$0.value.isEmpty }
    }
}
