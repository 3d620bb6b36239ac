import ArchiveEngine
import ArchiveModel
import ArgumentParser

struct CloneStartCommand: ContainerCommand {
    static let configuration = CommandConfiguration(
        commandName: "start",
        abstract: "Start a clone; the first time it recovers to its target.",
        discussion: """
            Returns when the clone takes writes; a long recovery shows how far it is. When it fails or is \
            interrupted, the clone is stopped again, and the reason is shown from its log. When its port is in use \
            meanwhile, the clone gets another, and this says so. A clone whose start was killed is taken over.

            EXAMPLES
              pgarchive clone start look

            EXIT CODES
              1  it did not start
              6  no such clone
              7  it runs already, or another command is at work on it

            SEE ALSO
              clone psql, clone log, clone stop
            """
    )

    @Argument(help: "The clone.", completion: .custom { words, _, _ in Completions.clones(words) })
    var name: String

    @OptionGroup var global: GlobalOptions

    func run(in container: Container) throws {
        let record = try CloneCatalog(container).find(name)
        let result = try CloneResult.started(record, in: container, global: global, interruption: Interruption())
        try render.done(result, result.sentence(verb: "started"))
    }
}
