import ArchiveEngine
import ArchiveModel

/// A repair as it is shown, before and after.
enum RepairView {
    static func text(_ plan: RepairPlan) -> String {
        var lines = plan.steps.map { step in
            switch step.action {
            case .replaceSegment where step.isMissing: "would fetch \(step.name) from the upstream"
            case .fetchHistory: "would fetch \(step.name) from the upstream"
            case .replaceSegment where step.suspects.count > 1:
                "would compare \(step.name) with the upstream's, and replace it where they differ"
            case .replaceSegment: "would keep the copy of \(step.name) that is right, or fetch it from the upstream"
            }
        }
        lines += plan.left.map { "would leave: \($0.what): \($0.reason)" }
        return (lines.isEmpty ? ["nothing to repair"] : lines).map { $0 + "\n" }.joined()
    }

    static func text(_ plan: RepairPlan, _ outcome: Repair.Outcome, _ palette: Palette) -> String {
        var lines = outcome.results.map { result in
            switch result.done {
            case "fetched": palette.green("fetched") + " \(result.name) from the upstream"
            case "broughtBack": palette.green("brought back") + " \(result.name) by wal.restore_program"
            case "kept": palette.green("kept") + " the copy of \(result.name) that is right"
            case "unchanged": "left \(result.name) as it is: the upstream's is the same"
            default: palette.red("not repaired:") + " \(result.name): \(result.reason ?? "")"
            }
        }
        lines += outcome.results.flatMap(\.quarantined).map { "the bad file is kept as \($0)" }
        lines += outcome.left.map { palette.red("not repaired:") + " \($0.what): \($0.reason)" }
        return (lines.isEmpty ? ["nothing to repair"] : lines).map { $0 + "\n" }.joined() + "\n"
    }
}
