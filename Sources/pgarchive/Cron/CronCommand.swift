import ArgumentParser

struct CronCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "cron",
        abstract: "Jobs for cron or systemd timers, each with a log of its own.",
        discussion: """
            'container init-cron' adds them to the crontab, commented out. What goes wrong is said on stderr too, so \
            that cron mails it.
            """,
        subcommands: [
            CronCompressWALArchiveCommand.self, CronExpireAndCreateSnapshotCommand.self, CronDefragBtrfsCommand.self,
        ]
    )
}
