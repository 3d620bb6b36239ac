package import ArchiveModel
import Platform
import PostgresLink
import WALStore

/// The one place where the lower layers' errors become what a user is told.
package enum ErrorTranslation {
    /// Nil for errors that are not of these layers.
    package static func archiveError(_ error: any Error) -> ArchiveError? {
        switch error {
        case let error as ArchiveError: error
        case let error as LinkError: link(error)
        case let error as SystemError: ArchiveError(.failed, "\(error)")
        case let error as LockConflict: ArchiveError(.conflict, "\(error)", hint: "try again when it has ended")
        case let error as ToolFailure: ArchiveError(.failed, "\(error)")
        case let error as StoreError:
            ArchiveError(.failed, "\(error)", hint: "'pgarchive wal_archive list' shows what is there")
        default: nil
        }
    }

    private static func link(_ error: LinkError) -> ArchiveError {
        let code: ErrorCode
        switch error.kind {
        case .unreachable, .timedOut: code = .upstreamUnreachable
        case .authentication: code = .authentication
        case .invalidConnectionString: code = .usage
        case .cancelled: code = .interrupted
        case .server, .protocolViolation, .local: code = .failed
        }
        return ArchiveError(code, error.description, hint: error.hint, details: error.log)
    }
}
