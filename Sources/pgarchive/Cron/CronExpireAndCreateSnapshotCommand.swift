import ArchiveEngine
import ArchiveModel
import ArgumentParser

struct CronExpireAndCreateSnapshotCommand: ContainerCommand {
    static let configuration = CommandConfiguration(
        commandName: "expire-and-create-snapshot",
        abstract: "Expire old snapshots and WAL, and take a new snapshot.",
        discussion: """
            What 'snapshot expire' and then 'snapshot create' do, with the same settings. When one of them fails, \
            the other is done all the same, and the exit code is the failure's. Logged in log/cron_snapshot.log.

            EXAMPLES
              pgarchive cron expire-and-create-snapshot

            SEE ALSO
              snapshot expire, snapshot create, container init-cron
            """
    )

    @OptionGroup var global: GlobalOptions

    private struct Done: Encodable {
        var expired: Expiry.Outcome?
        var created: SnapshotRecord?
    }

    func run(in container: Container) throws {
        let log = try CronLog(container, job: "snapshot", global: global)
        var done = Done()
        var failures: [any Error] = []
        do {
            done.expired = try log.job("expire") {
                let date = try ExpiryDate(container)
                try log.line("expiry date \(HumanText.instant(date.instant)) (\(date.text))")
                let outcome = try Expiry(container).run(expire: date.instant)
                try log.line(SnapshotExpireCommand.sentence(outcome))
                return outcome
            }
        } catch {
            failures.append(error)
        }
        do {
            done.created = try log.job("create-snapshot") {
                let record = try SnapshotTake(container, interruption: Interruption()).run()
                try log.line("snapshot '\(record.name)' created at \(record.replayed)")
                return record
            }
        } catch {
            failures.append(error)
        }
        if render.format == .json { try render.done(done, "") }
        guard let first = failures.first else { return }
        let failure = Failure(first)
        throw ArchiveError(
            ErrorCode(rawValue: failure.exitCode) ?? .failed,
            failure.what,
            hint: failure.hint,
            details: failure.details + failures.dropFirst().map { "also: \(Failure($0).what)" }
        )
    }
}
