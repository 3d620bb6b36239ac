import ArchiveEngine
import ArgumentParser

struct CloneRestartCommand: ContainerCommand {
    static let configuration = CommandConfiguration(
        commandName: "restart",
        abstract: "Stop a clone and start it again.",
        discussion: """
            For settings that a reload does not bring into effect. A clone that is not running is started.

            EXAMPLES
              pgarchive clone restart look

            SEE ALSO
              clone reload, clone start
            """
    )

    @Argument(help: "The clone.", completion: .custom { words, _, _ in Completions.clones(words) })
    var name: String

    @OptionGroup var stop: StopOptions

    @OptionGroup var global: GlobalOptions

    func run(in container: Container) throws {
        let record = try CloneCatalog(container).find(name)
        let mode = try stop.engineMode()
        let interruption = try Interruption()
        let started = try global.withProgress { progress in
            try CloneServer(container, record).restart(mode: mode, progress: progress, interruption: interruption)
        }
        let result = CloneResult(clone: try CloneCatalog(container).find(name), started: started)
        try render.done(result, result.sentence(verb: "restarted"))
    }
}
