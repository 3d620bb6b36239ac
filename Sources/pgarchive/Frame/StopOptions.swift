import ArchiveEngine
import ArgumentParser
import PostgresLink

/// How a server is stopped, spelled as for pg_ctl.
struct StopOptions: ParsableArguments {
    enum Mode: String, CaseIterable, ExpressibleByArgument {
        case smart
        case fast
        case immediate

        /// pg_ctl takes the first letter too.
        init?(argument: String) {
            guard
                let mode = Self.allCases.first(where: { $0.rawValue == argument || $0.rawValue.prefix(1) == argument })
            else { return nil }
            self = mode
        }
    }

    /// For the engine.
    func engineMode() throws -> RunningServer.StopMode { try ServerStop.mode(mode.rawValue) }

    @Option(
        name: [.customShort("m"), .long],
        help: ArgumentHelp(
            "smart waits until all clients have left, fast disconnects them, immediate stops as in a crash.",
            valueName: "mode"
        )
    )
    var mode: Mode = .fast
}
