import ArchiveEngine
import ArgumentParser

struct StandbyReloadCommand: ContainerCommand {
    static let configuration = CommandConfiguration(
        commandName: "reload",
        abstract: "Let the running standby read standby.conf again.",
        discussion: """
            For settings that PostgreSQL changes without a restart. Settings in pgarchive.toml take a 'standby \
            restart'.

            EXAMPLES
              pgarchive standby reload

            SEE ALSO
              standby restart
            """
    )

    @OptionGroup var pgCtl: PgCtlOptions

    @OptionGroup var global: GlobalOptions

    func run(in container: Container) throws {
        try pgCtl.refuse(in: container)
        try PartControl(container).reloadStandby()
        try render.done(Outcome(done: "reloaded", names: ["standby"]), "the standby reads its configuration again")
    }
}
