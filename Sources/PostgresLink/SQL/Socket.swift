internal import Platform

/// Waiting on libpq's sockets.
enum Socket {
    /// False when the deadline passed first, or when `wake` became readable.
    ///
    /// A bad socket counts as ready, for libpq to say what is wrong.
    static func wait(_ socket: Int32, for direction: PollEvents, until deadline: Deadline, wake: Int32 = -1) -> Bool {
        guard socket >= 0 else { return true }
        let items = [PollItem(socket, direction), PollItem(wake)]
        guard let ready = try? Poll.wait(items, timeoutMilliseconds: deadline.millisecondsLeft) else { return true }
        return !ready[0].isEmpty && ready[1].isEmpty
    }
}
