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

/// A lock on a file that also describes its holder.
///
/// It belongs to the open file description (fcntl(2), `F_OFD_SETLK`): the kernel gives it back when the process ends,
/// however it ends; the file stays and means nothing by itself.
/// Programs started do not inherit it, unless `raw` is named among the descriptors that they keep.
package final class HeldLock: Sendable {
    package let path: String
    private let state: Mutex<(descriptor: Int32, isGivenAway: Bool)>

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
                guard FileTree.isSame(file.raw, path) else { continue }
                if !shared { describe(file, description) }
                return HeldLock(path: path, descriptor: file.release())
            }
            guard result == -EWOULDBLOCK else { try checked(result, "lock", path); continue }
            guard !deadline.hasPassed else { throw LockConflict(path: path, holder: readHolder(path)) }
            // The waiting kind has no time limit of its own, and a signal would be needed to leave it.
            SystemClock.sleep(seconds: min(0.02, deadline.secondsLeft ?? 0.02))
        }
    }

    /// Who holds the lock alone now, nil when nobody does.
    ///
    /// Only looks: whoever takes the lock at this moment is not disturbed.
    package static func isHeld(_ path: String) throws(SystemError) -> LockHolder? {
        let file: Descriptor
        do throws(SystemError) {
            file = try Descriptor.open(path, O_RDONLY | O_NOFOLLOW)
        } catch {
            if error.isNotFound { return nil }
            throw error
        }
        guard try checked(pgarchive_is_locked(file.raw), "look at the lock", path) != 0 else { return nil }
        return readHolder(path) ?? LockHolder(pid: 0, text: "another process")
    }

    package func release() {
        state.withLock { state in
            guard state.descriptor >= 0 else { return }
            // A child that is just being started has a copy until it runs its program, which would keep the lock.
            if !state.isGivenAway { _ = pgarchive_unlock(state.descriptor) }
            close(state.descriptor)
            state.descriptor = -1
        }
    }

    /// Lets shared holders in beside this one, without letting go in between.
    package func share() throws(SystemError) {
        try state.withLock { state throws(SystemError) in
            _ = try checked(pgarchive_try_lock(state.descriptor, true), "share the lock", path)
        }
    }

    /// The locked descriptor, for a child that shall keep the lock when this one lets go; nil after the release.
    package var raw: Int32? {
        state.withLock { state in
            guard state.descriptor >= 0 else { return nil }
            state.isGivenAway = true
            return state.descriptor
        }
    }

    deinit { release() }

    private init(path: String, descriptor: Int32) {
        self.path = path
        self.state = Mutex((descriptor, false))
    }

    /// A full disk is no reason to do without the lock: it holds all the same.
    private static func describe(_ file: borrowing Descriptor, _ text: String) {
        let bytes = Array("\(getpid()) \(text)\n".utf8)
        do throws(SystemError) {
            try file.writeAll(bytes, at: 0)
            try file.truncate(to: Int64(bytes.count))
        } catch {
            // At least it must not name whoever held it before.
            try? file.truncate(to: 0)
        }
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
