import ArchiveEngine
import ArgumentParser

struct CloneRestartCommand: ContainerCommand {
    static let configuration = CommandConfiguration(
        commandName: "restart",
        abstract: "Stop a clone and start it again.",
        discussion: """
            For settings that a reload does not bring into effect. A clone that is not running is started. With -t \
            or -W it is done in the background, as by 'clone start'.

            EXAMPLES
              pgarchive clone restart look

            SEE ALSO
              clone reload, clone start
            """
    )

    @Argument(help: "The clone.", completion: .custom { words, _, _ in Completions.clones(words) })
    var name: String

    @OptionGroup var stop: StopOptions

    @OptionGroup var wait: WaitOptions

    @OptionGroup var pgCtl: PgCtlOptions

    @OptionGroup var global: GlobalOptions

    func run(in container: Container) throws {
        try pgCtl.refuse(forClone: name, in: container)
        let record = try CloneCatalog(container).find(name)
        if wait.isLimited {
            let words = ["restart", "-m", stop.mode.rawValue]
            return try CloneBackground.run(words, of: record, in: container, wait, global)
        }
        let mode = try stop.engineMode()
        let interruption = try Interruption()
        let started = try global.withProgress { progress in
            try CloneServer(container, record).restart(mode: mode, progress: progress, interruption: interruption)
        }
        let result = CloneResult(clone: try CloneCatalog(container).find(name), started: started)
        try render.done(result, result.sentence(verb: "restarted"))
    }
}
