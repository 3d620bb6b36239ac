import ArchiveEngine
import ArgumentParser

struct WindowCommand: ContainerCommand {
    static let configuration = CommandConfiguration(
        commandName: "window",
        abstract: "Show what can be recovered now, with every gap.",
        discussion: """
            The same as 'wal_archive window', whose help says more.

            EXAMPLES
              pgarchive window

            SEE ALSO
              wal_archive window, wal_archive events
            """
    )

    @OptionGroup var global: GlobalOptions

    func run(in container: Container) throws {
        var command = WALArchiveWindowCommand()
        command.global = global
        try command.run(in: container)
    }
}
