import ArchiveEngine
import ArchiveModel
import ArgumentParser

struct CronExpireAndCreateSnapshotCommand: ContainerCommand {
    static let configuration = CommandConfiguration(
        commandName: "expire-and-create-snapshot",
        abstract: "Expire old snapshots and WAL, and take a new snapshot.",
        discussion: """
            What 'snapshot expire' and then 'snapshot create' do, with the same settings. When one of them fails, \
            the other is done all the same, and the exit code is the failure's. Logged in log/cron_snapshot.log. \
            Where the standby has replayed nothing since the newest snapshot, there is nothing to take one of.

            Where a clone of the new snapshot would have to replay more WAL than the setting snapshot.debt, the \
            next checkpoint of upstream is waited for, right after which it is least. When none comes in time the \
            snapshot is taken all the same, and the log says what it leaves to replay.

            EXAMPLES
              pgarchive cron expire-and-create-snapshot

            SEE ALSO
              snapshot expire, snapshot create, container init-cron
            """
    )

    @Option(
        name: [.customShort("t"), .long],
        help: ArgumentHelp(
            "How long to wait for a moment with little WAL to replay; 0 takes the snapshot at once.",
            valueName: "seconds"
        )
    )
    var timeout = 600

    @OptionGroup var global: GlobalOptions

    func validate() throws {
        guard (0...86_400).contains(timeout) else { throw ValidationError("--timeout is 0 to 86400 seconds") }
    }

    private struct Done: Encodable {
        var expired: Expiry.Outcome?
        var created: SnapshotRecord?
        /// The newest snapshot, when another would equal it.
        var unchanged: String?
    }

    func run(in container: Container) throws {
        let log = try CronLog(container, job: "snapshot", global: global)
        var done = Done()
        var failures: [any Error] = []
        do {
            done.expired = try log.job("expire") {
                let date = try ExpiryDate(container)
                try log.line("expiry date \(date.shown)")
                if let remark = date.remark {
                    try log.line(remark, isShown: false)
                    // Cron mails it: nobody may have seen yet that nothing comes any more.
                    render.warning(remark)
                }
                let outcome = try Expiry(container).run(expire: date.instant)
                try log.line(SnapshotExpireCommand.sentence(outcome))
                return outcome
            }
        } catch {
            failures.append(error)
        }
        do {
            try log.job("create-snapshot") {
                let interruption = try Interruption()
                if let same = try SnapshotTake(container, interruption: interruption).equal() {
                    try log.line(
                        "no snapshot is taken: the standby has replayed nothing since '\(same.name)', "
                            + "at \(same.replayed)"
                    )
                    done.unchanged = same.name
                } else {
                    done.created = try createSnapshot(of: container, log, interruption)
                }
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

    private func createSnapshot(
        of container: Container,
        _ log: CronLog,
        _ interruption: Interruption
    ) throws -> SnapshotRecord {
        let limit = container.settings.snapshotDebtBytes
        let ending = try SnapshotMoment(container, interruption: interruption).wait(seconds: Double(timeout)) { debt in
            try log.line(
                "\(HumanText.bytes(debt.bytes)) to replay since the checkpoint of \(debt.redo), more than "
                    + "snapshot.debt (\(HumanText.bytes(limit))): waiting for upstream's next checkpoint"
            )
        }
        let record = try SnapshotTake(container, interruption: interruption).run()
        try log.line(
            "snapshot '\(record.name)' created at \(record.replayed), "
                + "\(HumanText.bytes(record.debtBytes)) to replay for a clone"
        )
        if record.debtBytes > limit { try log.line(reason(ending)) }
        return record
    }

    /// Why a snapshot leaves more to replay than it should.
    private func reason(_ ending: SnapshotMoment.Ending) -> String {
        let reason =
            switch ending {
            case .timeOver:
                "the standby has replayed no newer checkpoint of upstream, "
                    + "waited for \(HumanText.elapsed(seconds: Double(timeout)))"
            case .restartpoint: "upstream's checkpoints are that far apart"
            case .little, .unfit: "it was replayed meanwhile"
            }
        return "more than snapshot.debt: \(reason)"
    }
}
