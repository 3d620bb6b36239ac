import ArchiveEngine
import ArgumentParser

struct CronDefragBtrfsCommand: ContainerCommand {
    static let configuration = CommandConfiguration(
        commandName: "defrag-btrfs",
        abstract: "Defragment the standby directory.",
        discussion: """
            PostgreSQL tends to cause a critical amount of fragmentation fast. Defragmenting writes the files anew and \
            no longer shares their space with the snapshots, so it may need as much free space as the standby is \
            large, and refuses when there is less. The log is written to log/cron_btrfs.log.

            SEE ALSO
              snapshot list
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
