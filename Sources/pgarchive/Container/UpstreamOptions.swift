import ArgumentParser

/// How the upstream is reached, by options or by the seed's environment.
struct UpstreamOptions: ParsableArguments {
    @Option(
        help: ArgumentHelp(
            "How to connect to the upstream for SQL (default: $UPSTREAM).",
            discussion: "A libpq connection string. PG* variables of the shell are not used.",
            valueName: "connstr"
        )
    )
    var upstream: String?

    @Option(
        help: ArgumentHelp(
            "The same for replication (default: $UPSTREAM_REPL, or the upstream with user=replication).",
            valueName: "connstr"
        )
    )
    var upstreamRepl: String?

    @Option(help: "The replication slot (default: $SLOT, or pgarchive_<container>).")
    var slot: String?

    var sql: String { upstream ?? Terminal.environment("UPSTREAM") ?? "" }
    var replication: String { upstreamRepl ?? Terminal.environment("UPSTREAM_REPL") ?? "" }
    var slotName: String { slot ?? Terminal.environment("SLOT") ?? "" }

    /// The same for a child, out of sight of ps.
    var environment: [String: String] {
        ["UPSTREAM": sql, "UPSTREAM_REPL": replication, "SLOT": slotName].filter { !$0.value.isEmpty }
    }
}
