import ArchiveEngine
import ArchiveModel

/// What a recovery begins with, and how long it will take.
struct RecoveryBegin {
    let text: String
    let debtBytes: UInt64
    let seconds: Double

    /// From the plan's snapshot.
    init(_ plan: RestorePlan) {
        self.init(.snapshot(plan.snapshot, redo: plan.redo), plan, seconds: plan.predictedSeconds)
    }

    init(_ source: RecoverySource, _ plan: RestorePlan, _ container: Container) {
        let rate = ReplayRateFile(container).read()
        self.init(source, plan, seconds: source.predictedSeconds(of: plan, rate: rate))
    }

    private init(_ source: RecoverySource, _ plan: RestorePlan, seconds: Double) {
        debtBytes = source.debtBytes(to: plan.stop)
        self.seconds = seconds
        let time = HumanText.elapsed(seconds: seconds)
        let rest = "\(HumanText.bytes(debtBytes)) of WAL to replay, ready in about \(time)"
        switch source {
        case .snapshot(let name, _): text = "from snapshot '\(name)', \(rest)"
        case .look(_, plan.stop): text = "a server of this moment is there"
        case .look(_, let position): text = "by the server that is there for \(position), \(rest)"
        case .image(let name, _): text = "from the image of snapshot '\(name)', nothing to replay"
        }
    }
}
