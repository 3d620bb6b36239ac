import ArchiveEngine
import ArchiveModel
import ArgumentParser

struct CloneStatusCommand: ContainerCommand {
    static let configuration = CommandConfiguration(
        commandName: "status",
        abstract: "Show whether a clone runs; exit 1 when it does not.",
        discussion: """
            With its process, its port, its snapshot, and the moment that it was made for.

            EXAMPLES
              pgarchive clone status look

            EXIT CODES
              0  it is running
              1  it is not
              6  no such clone

            SEE ALSO
              clone list --status, clone log
            """
    )

    @Argument(help: "The clone.", completion: .custom { words, _, _ in Completions.clones(words) })
    var name: String

    @OptionGroup var global: GlobalOptions

    func run(in container: Container) throws {
        let row = CloneRow(try CloneCatalog(container).find(name), in: container)
        try render.show(row) { palette in
            "clone '\(name)': " + TableText.coloured(row.cell, palette)
                + (row.record.isBranch ? "" : ", port \(row.record.port)")
                + ", snapshot \(row.record.snapshot), \(row.target)\n"
        }
        if !row.isRunning { throw ExitCode(1) }
    }
}
