internal import Platform
internal import Synchronization

/// The servers that this process has started, so that they are reaped also when nobody holds them any more.
///
/// A server outlives the value that stands for it, and may end long after; without this it would stay a zombie for
/// as long as this process lives.
enum ServerChildren {
    private static let children = Mutex<[SpawnedProcess]>([])

    static func add(_ process: SpawnedProcess) {
        children.withLock { $0.append(process) }
    }

    /// Reaps those that have ended.
    static func reap() {
        children.withLock { children in children.removeAll { $0.poll() != nil } }
    }
}
