import ArgumentParser

struct CronCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "cron",
        abstract: "Jobs for cron or systemd timers.",
        discussion: """
            'container init-cron' adds them to the owner's crontab, commented out. Each writes to a log of its own \
            in log/, and shows nothing when all went well but on a terminal or with --verbose. Errors also go to \
            standard error, so that cron mails them.
            """,
        subcommands: [
            CronExpireAndCreateSnapshotCommand.self, CronCompressWALArchiveCommand.self, CronDefragBtrfsCommand.self,
        ]
    )
}
