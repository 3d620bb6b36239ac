import ArchiveEngine
import ArchiveModel
import ArgumentParser

/// A restored cluster in the place of another, and the way back.
struct SwapOptions: ParsableArguments {
    @Option(
        help: ArgumentHelp(
            "Restore in the place of this data directory, whose server is stopped; it is kept as DIR.kept.",
            valueName: "dir"
        ),
        completion: .directory
    )
    var swap: String?

    @Option(help: ArgumentHelp("Exchange it with DIR.kept again.", valueName: "dir"), completion: .directory)
    var swapBack: String?

    @Option(
        help: ArgumentHelp("Remove DIR.kept for good; -n shows what would be removed.", valueName: "dir"),
        completion: .directory
    )
    var swapRemove: String?

    /// Nothing is restored.
    var isOfKept: Bool { swapBack != nil || swapRemove != nil }

    func run(in container: Container, dryRun: Bool, _ global: GlobalOptions) throws {
        let render = global.render
        if let swapBack {
            let swap = try ClusterSwap(container, directory: swapBack)
            try swap.back(dryRun: dryRun)
            try render.done(
                SwapResult(directory: swap.data, kept: swap.kept),
                dryRun
                    ? "would exchange '\(swap.data)' and '\(swap.kept)'"
                    : "what was replaced is '\(swap.data)' again, the restored cluster is '\(swap.kept)'"
            )
        }
        if let swapRemove {
            let swap = try ClusterSwap(container, directory: swapRemove)
            let removal = try swap.removal()
            if !dryRun { try swap.carryOut(removal) }
            if !removal.elsewhere.isEmpty {
                render.remark("it has files elsewhere, which stay: \(removal.elsewhere.joined(separator: ", "))")
            }
            try render.done(
                removal,
                "\(dryRun ? "would remove" : "removed") '\(removal.directory)', \(HumanText.bytes(removal.bytes))"
            )
        }
    }
}

/// The two directories after an exchange.
private struct SwapResult: Encodable {
    let directory: String
    let kept: String
}
