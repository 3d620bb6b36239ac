import ArchiveEngine
import ArchiveModel
import ArgumentParser

struct ContainerInitCronCommand: ContainerCommand {
    static let configuration = CommandConfiguration(
        commandName: "init-cron",
        abstract: "Add a new default cron stanza to the calling user's crontab.",
        discussion: """
            In case you messed up the original. The jobs are commented out: verify and enable them with 'crontab -e'. \
            Run as root, it is the crontab of the container's owner.

            SEE ALSO
              cron expire-and-create-snapshot, cron compress-wal-archive, cron defrag-btrfs
            """
    )

    @OptionGroup var global: GlobalOptions

    func run(in container: Container) throws {
        let crontab = Crontab(container)
        let stanza = try crontab.stanza()
        try crontab.install()
        try render.done(
            Outcome(done: "installed", names: stanza.split(separator: "\n").map(String.init)),
            "added to the crontab, commented out; 'crontab -e' enables them:\n" + stanza
        )
    }

    /// What init does about cron: nothing there is a reason to fail.
    static func offer(_ container: Container, _ render: Render) {
        guard let stanza = try? Crontab(container).stanza() else { return }
        render.remark("cron jobs to consider ('pgarchive container init-cron' adds them, commented out):\n\(stanza)")
    }
}
