import ArchiveEngine
import ArgumentParser

struct StandbyReloadCommand: ContainerCommand {
    static let configuration = CommandConfiguration(
        commandName: "reload",
        abstract: "Let the standby read its configuration files again.",
        discussion: """
            SEE ALSO
              standby restart
            """
    )

    @OptionGroup var global: GlobalOptions

    func run(in container: Container) throws {
        try PartControl(container).reloadStandby()
        try render.done(Outcome(done: "reloaded", names: ["standby"]), "the standby reads its configuration again")
    }
}
