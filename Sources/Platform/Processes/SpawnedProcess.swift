import CPlatform
import Glibc
import Synchronization

/// A child of this process.
///
/// Reaped by `wait` or `poll`, and by nobody else.
package final class SpawnedProcess: Sendable {
    package let pid: Int32
    private let handle: Descriptor
    private let ended = Mutex<ProcessStatus?>(nil)

    init(pid: Int32, handle: consuming Descriptor) {
        self.pid = pid
        self.handle = handle
    }

    /// For `poll`: readable once it has ended.
    package var pidDescriptor: Int32 { handle.raw }

    /// Nil when it has been reaped.
    package var identity: ProcessIdentity? { ended.withLock { $0 == nil ? ProcessIdentity.of(pid) : nil } }

    /// Waits for its end and reaps it.
    ///
    /// Gives the same answer again.
    package func wait() -> ProcessStatus {
        while true {
            // Waited for outside of the lock, so that others can look or send signals meanwhile.
            _ = try? Poll.wait(for: handle.raw)
            if let status = poll() { return status }
        }
    }

    /// The same with a limit; nil when it still runs then.
    package func wait(timeoutSeconds: Double) -> ProcessStatus? {
        let deadline = Deadline(seconds: timeoutSeconds)
        _ = try? Poll.wait(for: handle.raw, timeoutMilliseconds: deadline.millisecondsLeft)
        return poll()
    }

    /// How it ended, nil while it runs.
    package func poll() -> ProcessStatus? {
        ended.withLock { ended in
            if let ended { return ended }
            var kind: Int32 = 0
            var value: Int32 = 0
            let result = pgarchive_wait_child(pid, false, &kind, &value)
            if result == 0 { return nil }
            // ECHILD: somebody else has reaped it, and its status is lost.
            let status: ProcessStatus = result < 0 ? .exited(-1) : kind == 0 ? .exited(value) : .signalled(value)
            ended = status
            return status
        }
    }

    /// Sends a signal; false when it has ended.
    @discardableResult
    package func signal(_ signal: Int32) -> Bool { pgarchive_pidfd_signal(handle.raw, signal) == 0 }

    /// Sends a signal to its process group: it and its children, when it was started with a session of its own.
    package func signalGroup(_ signal: Int32) {
        // Once reaped, the number may belong to somebody else.
        ended.withLock { ended in
            guard ended == nil, getpgid(pid) == pid else { return }
            kill(-pid, signal)
        }
    }
}
