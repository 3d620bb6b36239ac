package import WALFormat

/// How long work tells its front end where it is.
///
/// Called from the thread that does the work.
package struct Progress: Sendable {
    package enum Event: Sendable {
        /// A step begins, in words for a user.
        case step(String)
        /// Bytes done of a total, where it is known, of the present step.
        case bytes(done: UInt64, total: UInt64?)
        /// WAL replayed, and the time of the last commit in it, where that is known.
        case replayed(bytes: UInt64, total: UInt64, to: PostgresTime?)
        /// Something a user should know that is no error.
        case note(String)
    }

    package let report: @Sendable (Event) -> Void

    package init(_ report: @escaping @Sendable (Event) -> Void) {
        self.report = report
    }

    package static let silent = Progress { _ in }

    package func step(_ text: String) { report(.step(text)) }
    package func note(_ text: String) { report(.note(text)) }
}
