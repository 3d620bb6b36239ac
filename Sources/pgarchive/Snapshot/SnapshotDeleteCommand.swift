import ArchiveEngine
import ArgumentParser

struct SnapshotDeleteCommand: ContainerCommand {
    static let configuration = CommandConfiguration(
        commandName: "delete",
        abstract: "Directly delete one or more snapshots.",
        discussion: """
            Each pattern is a name or a simple globbing pattern with *, ? and [a-z]; put it in quotes. A pattern \
            that matches nothing is an error, and then nothing is deleted. A snapshot stays while a clone made \
            from it has not yet recovered. Moments before the oldest snapshot left can no longer be reached; \
            WAL is not removed ('snapshot expire' does that).

            EXAMPLE
              pgarchive snapshot delete 20261121-082350
              pgarchive snapshot delete '202610*' before-upgrade

            SEE ALSO
              snapshot expire, snapshot list
            """
    )

    @Argument(
        help: ArgumentHelp("Names or patterns.", valueName: "pattern"),
        completion: .custom { words, _, _ in Completions.snapshots(words) }
    )
    var patterns: [String]

    @OptionGroup var global: GlobalOptions

    func run(in container: Container) throws {
        let names = try SnapshotDelete(container).run(patterns: patterns)
        try render.done(
            Outcome(done: "deleted", names: names),
            names.map { "snapshot '\($0)' deleted" }.joined(separator: "\n")
        )
    }
}
