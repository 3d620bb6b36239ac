import Synchronization

/// Processes that this one has started and that nobody here waits for.
///
/// They outlive the values that stand for them, and may end long after; without this they would stay zombies for as
/// long as this process lives.
package enum SpawnedChildren {
    private static let children = Mutex<[SpawnedProcess]>([])

    package static func add(_ process: SpawnedProcess) {
        children.withLock { $0.append(process) }
    }

    /// Reaps those that have ended.
    package static func reap() {
        children.withLock { children in children.removeAll { $0.poll() != nil } }
    }
}
