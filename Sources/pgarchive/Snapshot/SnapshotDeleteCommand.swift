import ArchiveEngine
import ArgumentParser

struct SnapshotDeleteCommand: ContainerCommand {
    static let configuration = CommandConfiguration(
        commandName: "delete",
        abstract: "Delete one or more snapshots, whatever their age.",
        discussion: """
            A pattern is a name, or has *, ? and [a-z]; then put it in quotes. A pattern that matches nothing is an \
            error, and so is a snapshot from which a clone has still to recover: nothing is deleted then. Clones \
            that have recovered do not need it.

            Moments before the oldest snapshot that is left can no longer be reached. The WAL stays until 'snapshot \
            expire'.

            EXAMPLES
              pgarchive snapshot delete 20261121-082350
              pgarchive snapshot delete '202610*' before-upgrade

            EXIT CODES
              6  a pattern matches nothing
              7  a clone still needs one

            SEE ALSO
              snapshot list, snapshot expire
            """
    )

    @Argument(
        help: ArgumentHelp("A name, or a pattern with *, ? and [a-z].", valueName: "pattern"),
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
        if try SnapshotCatalog(container).all().isEmpty {
            render.remark(
                "no snapshot is left: no moment before the next one can be reached any more; "
                    + "'pgarchive snapshot create' takes it"
            )
        }
    }
}
