package import ArchiveModel
import Platform
import WALFormat

/// What can still be recovered of an archive with holes or damage.
package struct Salvage: Codable, Sendable {
    package var stretches: [ChainStretch]
    package var findings: [Finding]

    package init(stretches: [ChainStretch], findings: [Finding]) {
        self.stretches = stretches
        self.findings = findings
    }

    /// Reads all of it.
    package static func run(_ verification: Verification, progress: Progress) throws -> Salvage {
        let begin = SystemClock.monotonicSeconds()
        let outcome = try verification.look(deep: true, progress)
        let report = verification.report(outcome, deep: true, since: begin, progress)
        return Salvage(
            stretches: outcome.plan.stretches(outcome.breaks, outcome.reading),
            findings: report.findings
        )
    }
}
