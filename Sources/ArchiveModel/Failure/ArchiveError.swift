/// What a user is told when a command fails: what happened, to what, and what to do.
package struct ArchiveError: Error, Sendable, CustomStringConvertible {
    package let code: ErrorCode
    package let what: String
    package let hint: String?
    /// Lines that explain it further: a server's log, a tool's message.
    ///
    /// Shown below the error.
    package let details: [String]

    package init(_ code: ErrorCode, _ what: String, hint: String? = nil, details: [String] = []) {
        self.code = code
        self.what = what
        self.hint = hint
        self.details = details
    }

    package var description: String { what }
}
