import ArchiveEngine
import ArgumentParser

struct ContainerRunCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "run",
        abstract: "Run the supervisor in the foreground.",
        discussion: """
            For systemd (pgarchive@NAME.service), and to see what it says: it keeps the wal_archive and standby \
            processes running until SIGTERM or Ctrl-C, then stops them and ends. 'container start' does the same in \
            the background. Run as root, it mounts the container's pool first. A second supervisor of one container \
            is refused with exit code 7.

            EXAMPLES
              pgarchive container run

            SEE ALSO
              container start, container stop
            """
    )

    @Flag(help: "Start the supervisor again when it dies; under systemd this is not needed.")
    var restart = false

    @OptionGroup var global: PassingOptions

    func run() throws {
        try global.mountPool()
        let container = try global.locator.open(global.selector)
        try Privileges.becomeOwner(of: container)
        if restart {
            try Restarter(container).run()
        } else {
            try Supervisor(container).run()
        }
    }
}
