import ArchiveEngine
import ArgumentParser

struct CloneReloadCommand: ContainerCommand {
    static let configuration = CommandConfiguration(
        commandName: "reload",
        abstract: "Let a running clone read its configuration files again.",
        discussion: """
            The files are postgresql.conf and pg_hba.conf in clones/NAME/ of the container. What isolates the clone \
            is given to it when it starts, and cannot be changed there.

            EXAMPLES
              pgarchive clone reload look

            SEE ALSO
              clone restart
            """
    )

    @Argument(help: "The clone.", completion: .custom { words, _, _ in Completions.clones(words) })
    var name: String

    @OptionGroup var global: GlobalOptions

    func run(in container: Container) throws {
        try CloneServer(container, try CloneCatalog(container).find(name)).reload()
        try render.done(Outcome(done: "reloaded", names: [name]), "clone '\(name)' reads its configuration again")
    }
}
