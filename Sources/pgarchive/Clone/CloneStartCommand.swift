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

            With -t or -W it is started in the background, and goes on when this has returned, also after Ctrl-C; \
            with -t it fails when the time is over first.

            EXAMPLES
              pgarchive clone start look
              pgarchive clone start look -t 60 || pgarchive clone status look

            EXIT CODES
              1  it did not start, or not in time
              6  no such clone
              7  it runs already, or another command is at work on it

            SEE ALSO
              clone psql, clone log, clone stop
            """
    )

    @Argument(help: "The clone.", completion: .custom { words, _, _ in Completions.clones(words) })
    var name: String

    @OptionGroup var wait: WaitOptions

    @OptionGroup var pgCtl: PgCtlOptions

    @OptionGroup var global: GlobalOptions

    func run(in container: Container) throws {
        try pgCtl.refuse(forClone: name, in: container)
        let record = try CloneCatalog(container).find(name)
        // What runs already is refused here.
        if wait.isLimited, !CloneServer(container, record).isReady {
            return try CloneBackground.run(["start"], of: record, in: container, wait, global)
        }
        let result = try CloneResult.started(record, in: container, global: global, interruption: Interruption())
        try render.done(result, result.sentence(verb: "started"))
    }
}
