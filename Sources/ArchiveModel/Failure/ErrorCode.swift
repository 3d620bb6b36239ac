/// Why a command failed, as its exit code.
///
/// The table in docs/exit-codes.md is compared with these cases by a test.
package enum ErrorCode: Int32, CaseIterable, Sendable {
    case failed = 1
    case usage = 2
    case authentication = 3
    case refused = 4
    case interrupted = 5
    case notFound = 6
    case conflict = 7
    case upstreamUnreachable = 8
    case verificationFailed = 9
    case findings = 10

    package var meaning: String {
        switch self {
        case .failed: "failed"
        case .usage: "the command line, a name, a time or a setting is wrong; nothing was done"
        case .authentication: "the upstream refused the login"
        case .refused: "refused before any work; nothing changed"
        case .interrupted: "interrupted, and cleaned up"
        case .notFound: "no such container, snapshot, clone or segment"
        case .conflict: "exists already, in use, or locked"
        case .upstreamUnreachable: "the upstream cannot be reached"
        case .verificationFailed: "verification failed"
        case .findings: "done, with findings that need attention"
        }
    }
}
