import ArchiveEngine
import ArchiveModel
import WALFormat

/// A verification as it is shown.
struct VerifyView {
    let report: VerifyReport

    init(_ report: VerifyReport) {
        self.report = report
    }

    /// One line for each finding.
    func brief(_ palette: Palette) -> String {
        report.findings.map { palette.red($0.what) + "\n" }.joined()
    }

    func text(_ palette: Palette) -> String {
        var text = ""
        for finding in report.findings { text += Self.text(finding, palette) + "\n" }
        for note in report.notes.prefix(20) { text += "note: \(note.file): \(note.text)\n" }
        if report.notes.count > 20 { text += "note: and \(report.notes.count - 20) more\n" }
        for timeline in report.timelines {
            let commit = timeline.lastCommit.map { ", last commit \(HumanText.instant($0))" } ?? ""
            text += "timeline \(timeline.timeline): from \(timeline.from) to \(timeline.to)\(commit)\n"
        }
        return text + summary(palette) + "\n"
    }

    private func summary(_ palette: Palette) -> String {
        let looked =
            report.deep
            ? "\(HumanText.count(report.segments, "segment")) read, \(HumanText.bytes(report.bytes))"
            : "\(HumanText.count(report.segments, "segment")) looked at, not read (--deep reads them)"
        let count = report.findings.count
        let result =
            count == 0 ? palette.green("no findings") : palette.red(HumanText.count(count, "finding"))
        return "\(result): \(looked), in \(HumanText.elapsed(seconds: report.seconds))"
    }

    static func text(_ finding: Finding, _ palette: Palette) -> String {
        var lines = [palette.red("\(finding.kind.rawValue):") + " \(finding.what)"]
        if let from = finding.from, let to = finding.to {
            lines.append("  lost:  \(from) to \(to)" + (finding.timeline.map { " on timeline \($0)" } ?? ""))
        }
        let costs = costs(finding)
        for (index, cost) in costs.enumerated() { lines.append((index == 0 ? "  costs: " : "         ") + cost) }
        lines.append("  do:    \(CommandHint.complete(finding.advice))")
        return lines.joined(separator: "\n") + "\n"
    }

    private static func costs(_ finding: Finding) -> [String] {
        var lines = finding.costs.map { cost in
            let from = cost.lastBefore.map { "\(HumanText.instant($0)) (\(cost.from))" } ?? "\(cost.from)"
            let timelines =
                cost.timelines.count == 1
                ? "timeline \(cost.timelines[0])"
                : "timelines " + cost.timelines.map(\.description).joined(separator: ", ")
            guard let to = cost.to else { return "every moment after \(from), on \(timelines)" }
            let until = cost.firstAfter.map { "\(HumanText.instant($0)) (\(to))" } ?? "\(to)"
            let next = cost.nextSnapshot.map { ", where snapshot '\($0)' begins" } ?? ""
            return "the moments after \(from) and before \(until)\(next), on \(timelines)"
        }
        for name in finding.lostSnapshots {
            lines.append("snapshot '\(name)' cannot be used any more")
        }
        for name in finding.stuck { lines.append("\(name) cannot go on, or start again, from where it is") }
        return lines.isEmpty ? ["nothing that a snapshot here could be recovered to"] : lines
    }
}
