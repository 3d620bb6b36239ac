import Synchronization

/// What one thread raises for others to see; it is never taken down.
package final class ThreadFlag: Sendable {
    private let value = Atomic(false)

    package init() {}

    /// What was done before is seen by whoever sees it raised.
    package func raise() { value.store(true, ordering: .releasing) }

    package var isRaised: Bool { value.load(ordering: .acquiring) }
}
