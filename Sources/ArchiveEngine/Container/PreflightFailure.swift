import ArchiveModel
import PostgresLink

/// All that a preflight found, as one error.
enum PreflightFailure {
    static func error(_ report: UpstreamPreflight.Report) -> ArchiveError {
        let refusals = report.refusals
        let code: ErrorCode
        switch refusals.first?.kind {
        case .unreachable?: code = .upstreamUnreachable
        case .authentication?: code = .authentication
        default: code = .refused
        }
        return ArchiveError(
            code,
            refusals.count == 1
                ? refusals[0].what : "the upstream is not ready for an archive: \(refusals.count) findings",
            hint: refusals.count == 1 ? refusals[0].fix : "mend them all, then run init again; nothing was changed",
            details: refusals.count == 1
                ? []
                : refusals.flatMap { ["- \($0.what)"] + [$0.fix].compactMap { $0 }.map { "  fix: \($0)" } }
        )
    }
}
