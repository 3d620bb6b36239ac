import ArchiveEngine
import ArchiveModel
import ArgumentParser
import WALFormat

struct CloneExpireCommand: ContainerCommand {
    static let configuration = CommandConfiguration(
        commandName: "expire",
        abstract: "Remove clones whose time is over, and stop those that nobody uses.",
        discussion: """
            The container's supervisor does this all the time. Nothing is done to a clone that is protected, that \
            has clients, or on which a command is at work. The supervisor also compares a clone's count of sessions \
            over a while, and so sees short visits; this command goes by the clients that it sees and by the noted \
            use.

            SETTINGS
              clone.expire_after  the time of clones that are made without --expire
              clone.idle_stop     without use for so long, a clone is stopped

            EXAMPLES
              pgarchive clone expire --show

            EXIT CODES
              1  not all could be done

            SEE ALSO
              clone alter, clone protect, clone list
            """
    )

    @Flag(help: "Show what would be done and why the others stay; do nothing.")
    var show = false

    @OptionGroup var global: GlobalOptions

    func run(in container: Container) throws {
        let expiry = CloneExpiry(container)
        if show {
            let view = CloneExpiryView(try expiry.plan())
            return try render.show(view) { _ in view.text }
        }
        let outcome = try expiry.run()
        let lines =
            outcome.deleted.map { "clone '\($0)' deleted" } + outcome.stopped.map { "clone '\($0)' stopped" }
        try render.done(outcome, lines.isEmpty ? "nothing to do" : lines.joined(separator: "\n"))
        if let first = outcome.failures.first {
            throw ArchiveError(.failed, first, details: Array(outcome.failures.dropFirst()))
        }
    }
}

/// A plan of clones' expiry as it is shown.
struct CloneExpiryView: Encodable {
    struct Step: Encodable {
        let clone: String
        /// "delete", "stop" or "keep".
        let deed: String
        let reason: String
    }

    let steps: [Step]

    init(_ plan: CloneExpiryPlan) {
        let stopped = Set(plan.steps.filter { $0.deed == .stop }.map(\.clone))
        steps =
            plan.steps.map { step in
                let since = HumanText.instantSeconds(step.since)
                return Step(
                    clone: step.clone,
                    deed: step.deed.rawValue,
                    reason: step.deed == .delete ? "its time was over at \(since)" : "not used since \(since)"
                )
            }
            + plan.kept.filter { !stopped.contains($0.clone) }
            .map { Step(clone: $0.clone, deed: "keep", reason: Self.text($0.reason)) }
    }

    var text: String {
        var table = TableText([("NAME", .left), ("DEED", .left), ("WHY", .left)], whenEmpty: "no clones")
        for step in steps { table.add([.init(step.clone), .init(step.deed), .init(step.reason)]) }
        return table.text(Palette(isOn: false))
    }

    private static func text(_ reason: CloneExpiryPlan.Reason) -> String {
        switch reason {
        case .protected: "protected"
        case .stays: "it has no expiry"
        case .until(let end): "until \(HumanText.instantSeconds(end))"
        case .inUse: "its time is over, and it is in use"
        case .justUsed(let time): "its time is over, and it was used at \(HumanText.instantSeconds(time))"
        }
    }
}
