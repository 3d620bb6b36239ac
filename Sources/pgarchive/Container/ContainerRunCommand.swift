import ArchiveEngine
import ArgumentParser

struct ContainerRunCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "run",
        abstract: "Run the supervisor in the foreground.",
        discussion: """
            For systemd and for those who like to watch: keeps the wal_archive and standby processes running until it \
            gets SIGTERM or SIGINT, then stops them. 'container start' does the same in the background. A second \
            supervisor of one container is refused.

            SEE ALSO
              container start, container stop
            """
    )

    @Flag(help: "Start the supervisor again when it is killed; systemd does this by itself.")
    var restart = false

    @OptionGroup var global: GlobalOptions

    func run() throws {
        try global.mountPool()
        let container = try global.locator.open(global.selector)
        try Privileges.becomeOwner(of: container)
        if restart {
            try SupervisorStart(container).keepSupervisor()
        } else {
            try Supervisor(container).run()
        }
    }
}
