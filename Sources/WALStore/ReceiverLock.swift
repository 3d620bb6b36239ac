internal import Glibc
internal import Platform

/// The lock that a receiver holds on the directory into which it writes.
package enum ReceiverLock {
    /// Whether a receiver is at work; true where that cannot be told.
    package static func isHeld(_ directory: String) -> Bool {
        guard let descriptor = try? Descriptor.open(directory, O_RDONLY | O_DIRECTORY) else { return true }
        // Given back at once, with the descriptor.
        return flock(descriptor.raw, LOCK_SH | LOCK_NB) != 0
    }
}
