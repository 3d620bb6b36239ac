import ArchiveEngine
import ArchiveModel
import ArgumentParser

struct ContainerInitCronCommand: ContainerCommand {
    static let configuration = CommandConfiguration(
        commandName: "init-cron",
        abstract: "Add the container's cron jobs to its owner's crontab, commented out.",
        discussion: """
            'container init' adds them by itself, where there is a crontab; this adds again what is missing there. The \
            jobs: a new snapshot and expiry every hour, compression of WAL every ten minutes, and on btrfs \
            defragmentation every Sunday. Enable them with 'crontab -e' as the owner: remove the leading '#'. Jobs \
            that are there already, enabled or not, stay as they are. A purge takes out what stands between the two \
            lines that mark them.

            EXAMPLES
              pgarchive container init-cron

            SEE ALSO
              cron expire-and-create-snapshot, cron compress-wal-archive, cron defrag-btrfs
            """
    )

    @OptionGroup var global: GlobalOptions

    func run(in container: Container) throws {
        let added = try Crontab(container).install()
        try render.done(
            Outcome(
                done: added.isEmpty ? "there already" : "installed",
                names: added.split(separator: "\n").map(String.init)
            ),
            added.isEmpty
                ? "all jobs are in the crontab already; 'crontab -e' shows them"
                : "added to the crontab, commented out; 'crontab -e' enables them:\n" + added
        )
    }

    /// What init does about cron: nothing there is a reason to fail.
    static func offer(_ container: Container, _ render: Render) {
        let crontab = Crontab(container)
        guard let stanza = try? crontab.stanza() else { return }
        do {
            let added = try crontab.install()
            if added.isEmpty { return }
            render.remark("cron jobs, commented out, are in the crontab now; 'crontab -e' enables them:\n\(added)")
        } catch {
            render.remark("cron jobs to consider; they are not in the crontab (\(error)):\n\(stanza)")
        }
    }
}
