import ArchiveEngine
import ArchiveModel
import ArgumentParser

struct CloneDeleteCommand: ContainerCommand {
    static let configuration = CommandConfiguration(
        commandName: "delete",
        abstract: "Delete one or more clones that are stopped.",
        discussion: """
            Removes their data, configuration and logs. The snapshots that they were made from stay. A pattern has \
            *, ? and [a-z], and is put in quotes; one that matches nothing is an error, and so is a clone that is \
            running: nothing is deleted then.

            EXAMPLES
              pgarchive clone stop look && pgarchive clone delete look
              pgarchive clone delete 'test-*' old

            EXIT CODES
              6  no such clone, or a pattern matches nothing
              7  one is running, or another command is at work on one

            SEE ALSO
              clone stop, clone list
            """
    )

    @Argument(
        help: ArgumentHelp("A name, or a pattern with *, ? and [a-z].", valueName: "pattern"),
        completion: .custom { words, _, _ in Completions.clones(words) }
    )
    var patterns: [String]

    @OptionGroup var global: GlobalOptions

    func run(in container: Container) throws {
        let catalog = CloneCatalog(container)
        let names = try catalog.names(matching: patterns)
        let running = try catalog.listed().filter { names.contains($0.name) && CloneServer(container, $0).isRunning }
        // One that has still to be stopped is no reason to find the others gone.
        if let first = running.first, names.count > 1 {
            throw ArchiveError(
                .conflict,
                "clone '\(first.name)' is running; nothing was deleted",
                hint: "'pgarchive clone stop \(first.name)' first",
                details: running.dropFirst().map { "clone '\($0.name)' is running too" }
            )
        }
        var deleted: [String] = []
        do {
            for name in names {
                try CloneDelete(container).run(name: name)
                deleted.append(name)
            }
        } catch {
            if !deleted.isEmpty { try show(deleted) }
            throw error
        }
        try show(deleted)
    }

    private func show(_ names: [String]) throws {
        try render.done(
            Outcome(done: "deleted", names: names),
            names.map { "clone '\($0)' deleted" }.joined(separator: "\n")
        )
    }
}
