internal import Glibc

/// A moment on the monotonic clock.
struct Deadline {
    private let nanoseconds: UInt64

    init(seconds: Double) {
        let wait = UInt64(max(0, min(seconds, 1e9)) * 1e9)
        nanoseconds = clock_gettime_nsec() &+ wait
    }

    /// Milliseconds left, rounded up, 0 when it is over.
    var millisecondsLeft: Int32 {
        let now = clock_gettime_nsec()
        guard now < nanoseconds else { return 0 }
        return Int32(clamping: (nanoseconds - now + 999_999) / 1_000_000)
    }

    var isOver: Bool { millisecondsLeft == 0 }
}

private func clock_gettime_nsec() -> UInt64 {
    var time = timespec()
    clock_gettime(CLOCK_MONOTONIC, &time)
    return UInt64(time.tv_sec) &* 1_000_000_000 &+ UInt64(time.tv_nsec)
}

/// Waiting on libpq's sockets.
enum Socket {
    enum Direction {
        case reading
        case writing
    }

    /// False when the deadline passed first; a bad socket counts as ready, for libpq to say what is wrong.
    static func wait(_ socket: Int32, for direction: Direction, until deadline: Deadline?) -> Bool {
        let events = Int16(direction == .reading ? POLLIN : POLLOUT)
        while true {
            var item = pollfd(fd: socket, events: events, revents: 0)
            let ready = poll(&item, 1, deadline?.millisecondsLeft ?? -1)
            if ready > 0 { return true }
            if ready < 0, errno != EINTR { return true }
            if deadline?.isOver ?? false { return false }
        }
    }
}
