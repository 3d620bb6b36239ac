import ArchiveEngine
import ArgumentParser

struct PsqlCommand: ContainerCommand {
    static let configuration = CommandConfiguration(
        commandName: "psql",
        abstract: "Run psql on a moment of the past.",
        discussion: """
            Makes a read-only server of the moment, opens psql on it, and removes it again. For --keep minutes it \
            stays behind: a second question about the same moment is answered at once. Targets are those of \
            'clone create'; without one it is the newest state.

            As the upstream's superuser, in the database postgres, or that of the drop or event before which it is, \
            unless the arguments say otherwise. All options and words that are not ours are psql's, and so is the exit \
            code; behind -- all are.

            EXAMPLES
              pgarchive psql --at '10 minutes ago' shop
              pgarchive psql --before-drop orders -c 'TABLE orders'
              pgarchive psql --latest -l

            SEE ALSO
              find, undo, dump, window, wal_archive events, clone create
            """
    )

    @OptionGroup var look: LookOptions

    @OptionGroup var global: PassingOptions

    @Argument(
        parsing: .postTerminator,
        help: ArgumentHelp("Arguments for psql.", valueName: "arg")
    )
    var arguments: [String] = []

    func run(in container: Container) throws {
        try self.look(in: container, look, tool: "psql", arguments: arguments)
    }
}
