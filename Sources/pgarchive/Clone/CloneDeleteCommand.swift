import ArchiveEngine
import ArgumentParser

struct CloneDeleteCommand: ContainerCommand {
    static let configuration = CommandConfiguration(
        commandName: "delete",
        abstract: "Delete a clone that is stopped.",
        discussion: """
            Removes its data, configuration and log. The snapshot that it was made from stays.

            EXAMPLES
              pgarchive clone stop look && pgarchive clone delete look

            EXIT CODES
              6  no such clone
              7  it is running, or another command is at work on it

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
