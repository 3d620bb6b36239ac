import ArchiveEngine
import ArgumentParser

struct DumpCommand: ContainerCommand {
    static let configuration = CommandConfiguration(
        commandName: "dump",
        abstract: "Run pg_dump on a moment of the past.",
        discussion: """
            Makes a read-only server of the moment, runs pg_dump on it, and removes it again. Standard output has only \
            what pg_dump writes. Targets are those of 'clone create'; without one it is the newest state. The \
            database is postgres, or that of the drop or event before which it is. All other options \
            and words are pg_dump's, and so is the exit code; behind -- all are.

            EXAMPLES
              pgarchive dump --before-drop orders -t orders | psql -h db1 shop
              pgarchive dump --at '10 minutes ago' -Fc -f shop.dump shop

            SEE ALSO
              find, undo, psql, window, wal_archive events, clone create
            """
    )

    @OptionGroup var look: LookOptions

    @OptionGroup var global: PassingOptions

    @Argument(parsing: .postTerminator, help: ArgumentHelp("Arguments for pg_dump.", valueName: "arg"))
    var arguments: [String] = []

    func run(in container: Container) throws {
        try self.look(in: container, look, tool: "pg_dump", arguments: arguments)
    }
}
