import ArchiveEngine
import ArgumentParser

struct CloneDeleteCommand: ContainerCommand {
    static let configuration = CommandConfiguration(
        commandName: "delete",
        abstract: "Delete a (stopped) clone.",
        discussion: """
            Removes the clone's data, configuration and log. The snapshot it was made from stays. A running clone is \
            refused.

            EXAMPLE
              pgarchive clone stop look && pgarchive clone delete look

            SEE ALSO
              clone stop, clone list
            """
    )

    @Argument(help: "The clone.", completion: .custom { words, _, _ in Completions.clones(words) })
    var name: String

    @OptionGroup var global: GlobalOptions

    func run(in container: Container) throws {
        try CloneDelete(container).run(name: name)
        try render.done(Outcome(done: "deleted", names: [name]), "clone '\(name)' deleted")
    }
}
