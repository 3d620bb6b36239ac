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
            meanwhile, the clone gets another, and this says so.

            EXAMPLES
              pgarchive clone start look

            EXIT CODES
              1 it did not start   6 no such clone   7 it is running already

            SEE ALSO
              clone psql, clone log, clone stop
            """
    )

    @Argument(help: "The clone.", completion: .custom { words, _, _ in Completions.clones(words) })
    var name: String

    @OptionGroup var global: GlobalOptions

    func run(in container: Container) throws {
        let record = try CloneCatalog(container).find(name)
        let result = CloneResult(clone: record, started: try Self.start(record, in: container, global: global))
        try render.done(result, result.sentence(verb: "started"))
    }

    static func start(
        _ record: CloneRecord,
        in container: Container,
        global: GlobalOptions
    ) throws -> CloneServer.Started {
        let interruption = try Interruption()
        return try global.withProgress { progress in
            try CloneServer(container, record).start(progress: progress, interruption: interruption)
        }
    }
}
