import CPlatform
import Glibc
import Synchronization

/// A thread for blocking work, with a name that tools show.
package final class OwnedThread: Sendable {
    private let handle: pthread_t
    private let joined = Mutex(false)
    private let finished: ThreadFlag

    /// Starts `body` on a thread of its own; the kernel keeps 15 bytes of the name.
    ///
    /// Throws EAGAIN when the system has no room for another thread.
    package static func start(name: String, body: @escaping @Sendable () -> Void) throws(SystemError) -> OwnedThread {
        let finished = ThreadFlag()
        let work = Unmanaged.passRetained(ThreadWork(name: name, finished: finished, body: body))
        var handle = pthread_t()
        let failure = pthread_create(&handle, nil, runThread, work.toOpaque())
        guard failure == 0 else {
            work.release()
            throw SystemError(call: "start a thread", errno: failure, path: nil)
        }
        return OwnedThread(handle: handle, finished: finished)
    }

    private init(handle: pthread_t, finished: ThreadFlag) {
        self.handle = handle
        self.finished = finished
    }

    /// Waits until the body has returned; may be called more than once, but not by the thread itself.
    package func join() {
        joined.withLock { joined in
            guard !joined else { return }
            pthread_join(handle, nil)
            joined = true
        }
    }

    package var isFinished: Bool { finished.isRaised }

    deinit {
        joined.withLock { joined in
            if !joined { pthread_detach(handle) }
        }
    }
}

private final class ThreadWork: Sendable {
    let name: String
    let finished: ThreadFlag
    let body: @Sendable () -> Void

    init(name: String, finished: ThreadFlag, body: @escaping @Sendable () -> Void) {
        self.name = name
        self.finished = finished
        self.body = body
    }
}

private func runThread(_ argument: UnsafeMutableRawPointer?) -> UnsafeMutableRawPointer? {
    guard let argument else { return nil }
    let work = Unmanaged<ThreadWork>.fromOpaque(argument).takeRetainedValue()
    pgarchive_thread_name(work.name)
    work.body()
    work.finished.raise()
    return nil
}
