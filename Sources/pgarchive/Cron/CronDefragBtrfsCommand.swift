import ArchiveEngine
import ArgumentParser

struct CronDefragBtrfsCommand: ContainerCommand {
    static let configuration = CommandConfiguration(
        commandName: "defrag-btrfs",
        abstract: "Defragment the standby's files, on btrfs.",
        discussion: """
            A database on btrfs fragments fast, and gets slow. Defragmenting writes the files anew, which ends their \
            sharing with the snapshots: it may take as much space as the standby is large, and refuses (exit code 4) \
            when there is less. Logged in log/cron_btrfs.log.

            EXAMPLES
              pgarchive cron defrag-btrfs

            SEE ALSO
              snapshot list, container init-cron
            """
    )

    @OptionGroup var global: GlobalOptions

    func run(in container: Container) throws {
        let log = try CronLog(container, job: "btrfs", global: global)
        try log.job("defrag-btrfs") {
            let need = try StandbyDefragment(container).run()
            try log.line(
                "up to \(HumanText.bytes(need.neededBytes)) written anew, \(HumanText.bytes(need.freeBytes)) were free"
            )
        }
    }
}
