import ArchiveModel
import Glibc
import Synchronization

/// What a command was asked for goes here, and nothing else.
enum StandardOutput {
    private static let closed = Mutex(false)

    /// The reader has gone (`| head`): nothing more is written, and what follows or pages may end.
    static var isClosed: Bool { closed.withLock { $0 } }

    static func write(_ text: String) throws {
        var text = text
        try text.withUTF8 { try write(UnsafeRawBufferPointer($0)) }
    }

    static func write(_ bytes: UnsafeRawBufferPointer) throws {
        guard !isClosed else { return }
        let failure = writeAll(descriptor: STDOUT_FILENO, bytes)
        if failure == EPIPE {
            closed.withLock { $0 = true }
        } else if failure != 0 {
            throw ArchiveError(.failed, "cannot write to the standard output: \(String(cString: strerror(failure)))")
        }
    }

    /// Reports what a filesystem tells only at the end; called once, when the command has succeeded.
    static func finish() throws {
        fflush(nil)
    }
}

/// Errors, progress and remarks.
enum StandardError {
    static func write(_ text: String) {
        var text = text
        _ = text.withUTF8 { writeAll(descriptor: STDERR_FILENO, UnsafeRawBufferPointer($0)) }
    }
}

/// Returns 0, or the errno of the write that failed.
private func writeAll(descriptor: Int32, _ bytes: UnsafeRawBufferPointer) -> Int32 {
    var rest = bytes
    while !rest.isEmpty {
        let count = Glibc.write(descriptor, rest.baseAddress, rest.count)
        if count >= 0 {
            rest = UnsafeRawBufferPointer(rebasing: rest[count...])
        } else if errno == EAGAIN {
            var waiting = pollfd(fd: descriptor, events: Int16(POLLOUT), revents: 0)
            _ = poll(&waiting, 1, -1)
        } else if errno != EINTR {
            return errno
        }
    }
    return 0
}
