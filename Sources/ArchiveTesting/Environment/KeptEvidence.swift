import Synchronization
package import Testing

/// Which tests have failed so far, so that what they leave behind can be kept.
package enum KeptEvidence {
    private static let failed = Mutex<Set<Test.ID>>([])

    /// Notes that the running test has failed.
    package static func markFailure() {
        guard let test = Test.current else { return }
        failed.withLock { _ = $0.insert(test.id) }
    }

    package static var currentTestFailed: Bool {
        guard let test = Test.current else { return false }
        return failed.withLock { $0.contains(test.id) }
    }
}

extension Trait where Self == IssueHandlingTrait {
    /// Keeps the directories of a failed test, and prints where they are.
    package static var keepsEvidence: Self {
        .compactMapIssues { issue in
            KeptEvidence.markFailure()
            return issue
        }
    }
}
