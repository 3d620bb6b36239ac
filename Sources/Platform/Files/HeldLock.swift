import CPlatform
import Glibc
import Synchronization

/// Who holds a lock, as the lock's file says.
package struct LockHolder: Sendable, Hashable, CustomStringConvertible {
    package let pid: Int32
    package let text: String

    package init(pid: Int32, text: String) {
        self.pid = pid
        self.text = text
    }

    package var description: String { "\(text) (process \(pid))" }
}

/// Somebody else holds the lock.
package struct LockConflict: Error, Sendable, CustomStringConvertible {
    package let path: String
    /// Nil when the holder has not said yet who it is.
    package let holder: LockHolder?

    package var description: String {
        "\(path) is locked by \(holder?.description ?? "another process")"
    }
}

/// An `flock` on a file that also describes its holder.
///
/// The kernel gives it back when the process ends, however it ends; the file stays and means nothing by itself.
/// Programs started do not inherit it, unless `raw` is named among the descriptors that they keep.
package final class HeldLock: Sendable {
    package let path: String
    private let descriptor: Mutex<Int32>

    /// Takes the lock.
    /// - Parameters:
    ///   - path: the lock's file, made if missing.
    ///   - seconds: how long to wait for another holder, in seconds.
    ///   - shared: together with other shared holders.
    ///   - description: what the holder does, shown to those who are refused.
    /// - Returns: the lock, held until its `release`, its end or the process's.
    /// - Throws: `LockConflict` when it is held, `SystemError` otherwise.
    package static func acquire(
        _ path: String,
        wait seconds: Double = 0,
        shared: Bool = false,
        description: String
    ) throws -> HeldLock {
        let deadline = Deadline(seconds: seconds)
        while true {
            let file = try Descriptor.open(path, O_RDWR | O_CREAT | O_NOFOLLOW, mode: 0o644)
            let result = pgarchive_try_lock(file.raw, shared)
            if result == 0 {
                // Removed or replaced while we waited: that lock excludes nobody.
                guard try isStill(file, at: path) else { continue }
                if !shared { try describe(file, description) }
                return HeldLock(path: path, descriptor: file.release())
            }
            guard result == -EWOULDBLOCK else { try checked(result, "lock", path); continue }
            guard !deadline.hasPassed else { throw LockConflict(path: path, holder: readHolder(path)) }
            // flock has no time limit of its own, and a signal would be needed to leave it.
            SystemClock.sleep(seconds: min(0.02, deadline.secondsLeft ?? 0.02))
        }
    }

    /// Who holds the lock now, nil when nobody does.
    package static func isHeld(_ path: String) throws(SystemError) -> LockHolder? {
        let file: Descriptor
        do throws(SystemError) {
            file = try Descriptor.open(path, O_RDONLY | O_NOFOLLOW)
        } catch {
            if error.isNotFound { return nil }
            throw error
        }
        let result = pgarchive_try_lock(file.raw, true)
        if result == -EWOULDBLOCK { return readHolder(path) ?? LockHolder(pid: 0, text: "another process") }
        try checked(result, "lock", path)
        return nil
    }

    package func release() {
        descriptor.withLock { raw in
            if raw >= 0 { close(raw) }
            raw = -1
        }
    }

    /// The locked descriptor, for a child that shall keep the lock; nil after the release.
    package var raw: Int32? { descriptor.withLock { $0 >= 0 ? $0 : nil } }

    deinit { release() }

    private init(path: String, descriptor: Int32) {
        self.path = path
        self.descriptor = Mutex(descriptor)
    }

    private static func isStill(_ file: borrowing Descriptor, at path: String) throws(SystemError) -> Bool {
        let held = try file.status()
        var there = stat()
        return stat(path, &there) == 0 && there.st_ino == held.st_ino && there.st_dev == held.st_dev
    }

    private static func describe(_ file: borrowing Descriptor, _ text: String) throws(SystemError) {
        try file.writeAll(Array("\(getpid()) \(text)\n".utf8), at: 0)
        try file.truncate(to: Int64("\(getpid()) \(text)\n".utf8.count))
    }

    private static func readHolder(_ path: String) -> LockHolder? {
        guard let text = try? FileTree.readText(path, limit: 4096), let line = text.split(separator: "\n").first else {
            return nil
        }
        let parts = line.split(separator: " ", maxSplits: 1)
        guard let first = parts.first, let pid = Int32(first) else { return nil }
        return LockHolder(pid: pid, text: parts.count == 2 ? String(parts[1]) : "")
    }
}
