import CPlatform
import Glibc

/// One process, told from later ones that get the same number by the moment of its start.
package struct ProcessIdentity: Codable, Hashable, Sendable {
    package let pid: Int32
    /// Clock ticks from the system's start to the process's (field 22 of /proc/PID/stat, see proc(5)).
    package let startTicks: UInt64

    package init(pid: Int32, startTicks: UInt64) {
        self.pid = pid
        self.startTicks = startTicks
    }

    /// The process that has this number now; nil when there is none.
    ///
    /// It may be a zombie.
    package static func of(_ pid: Int32) -> ProcessIdentity? {
        ProcessStat.read(pid).map { ProcessIdentity(pid: pid, startTicks: $0.startTicks) }
    }

    package static func current() -> ProcessIdentity? { of(getpid()) }

    /// Whether it still runs.
    ///
    /// A zombie does not, although `kill(pid, 0)` succeeds.
    package var isAlive: Bool {
        guard let now = ProcessStat.read(pid) else { return false }
        return now.startTicks == startTicks && !now.isDead
    }

    /// Where it works; nil when it is gone or belongs to somebody else.
    package var workingDirectory: String? {
        guard isAlive else { return nil }
        return try? FileTree.linkTarget("/proc/\(pid)/cwd")
    }

    /// The program that it runs; nil when it is gone or belongs to somebody else.
    package var executable: String? {
        guard isAlive else { return nil }
        return try? FileTree.linkTarget("/proc/\(pid)/exe")
    }

    package var parent: Int32? {
        guard let now = ProcessStat.read(pid), now.startTicks == startTicks else { return nil }
        return now.parent
    }

    /// Waits for its end, also when it is no child of ours; whether it ended in time.
    ///
    /// A zombie has ended.
    package func waitForExit(timeoutSeconds: Double?) -> Bool {
        guard let handle = handle() else { return !isAlive }
        let deadline = Deadline(seconds: timeoutSeconds)
        guard (try? Poll.wait(for: handle.raw, timeoutMilliseconds: deadline.millisecondsLeft)) == true else {
            return !isAlive
        }
        return true
    }

    /// Sends a signal to this very process; false when it is gone.
    /// - Throws: EPERM when it is somebody else's.
    @discardableResult
    package func signal(_ signal: Int32) throws(SystemError) -> Bool {
        guard let handle = handle() else { return false }
        let result = pgarchive_pidfd_signal(handle.raw, signal)
        if result == -ESRCH { return false }
        try checked(result, "signal process", "\(pid)")
        return true
    }

    /// A pidfd of this very process: readable once it has ended.
    ///
    /// Nil when it is gone.
    package func handle() -> Descriptor? {
        let raw = pgarchive_pidfd_open(pid)
        guard raw >= 0 else { return nil }
        let handle = Descriptor(owning: raw)
        // Checked after the opening: the descriptor stays with whom it was opened for.
        guard isAlive else { return nil }
        return handle
    }
}

/// The fields of /proc/PID/stat that are needed, see proc(5).
package struct ProcessStat: Sendable, Hashable {
    package let state: Character
    package let parent: Int32
    package let startTicks: UInt64

    /// Zombies (Z) and processes being taken down (X) run no more.
    package var isDead: Bool { state == "Z" || state == "X" || state == "x" }

    package static func read(_ pid: Int32) -> ProcessStat? {
        guard pid > 0, let text = try? FileTree.readText("/proc/\(pid)/stat", limit: 8192) else { return nil }
        return ProcessStat(text)
    }

    /// - Parameter text: the line; the program's name in it may hold spaces and parentheses.
    package init?(_ text: String) {
        guard let nameEnd = text.lastIndex(of: ")") else { return nil }
        // From field 3 on.
        let fields = text[text.index(after: nameEnd)...].split(whereSeparator: { $0 == " " || $0 == "\n" })
        guard fields.count >= 20, let state = fields[0].first, let parent = Int32(fields[1]),
            let startTicks = UInt64(fields[19])
        else { return nil }
        self.state = state
        self.parent = parent
        self.startTicks = startTicks
    }
}
