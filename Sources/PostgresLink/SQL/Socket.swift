internal import Platform

/// Waiting on libpq's sockets.
enum Socket {
    /// False when the deadline passed first; a bad socket counts as ready, for libpq to say what is wrong.
    static func wait(_ socket: Int32, for direction: PollEvents, until deadline: Deadline) -> Bool {
        guard socket >= 0 else { return true }
        return (try? Poll.wait(for: socket, direction, timeoutMilliseconds: deadline.millisecondsLeft)) ?? true
    }
}
