internal import Glibc
internal import Platform

/// The receiver's log: one line per event, with the time in UTC.
package final class ReceiverLog {
    /// As PostgreSQL's tools speak.
    package struct Messages: Sendable {
        /// Before each line; nil: nothing.
        let program: String?
        let isVerbose: Bool

        package init(program: String?, isVerbose: Bool) {
            self.program = program
            self.isVerbose = isVerbose
        }
    }

    /// Lines kept while the disk is full.
    private static let unwrittenLimit = 100

    private let path: String?
    private let messages: Messages?
    private var file: Descriptor
    private var unwritten: [String] = []
    private var lastRepeated = ""
    private var lastRepeatedSeconds = -1e9

    /// Appends to `path`; nil means standard error.
    init(path: String?, messages: Messages? = nil) throws(SystemError) {
        self.path = path
        self.messages = messages
        file = try path.map(Self.open) ?? Descriptor(owning: dup(STDERR_FILENO))
    }

    private static func open(_ path: String) throws(SystemError) -> Descriptor {
        try Descriptor.open(path, O_WRONLY | O_CREAT | O_APPEND | O_NOFOLLOW, mode: 0o640)
    }

    /// Moved away, here or by logrotate: the next lines go to a new file.
    private func follow() {
        guard let path, !FileTree.isSame(file.raw, path), let new = try? Self.open(path) else { return }
        file = new
    }

    /// A log that cannot be written is no reason to stop receiving; the line comes with the next one then.
    func write(_ text: String) {
        let prefix = messages.map { $0.program.map { "\($0): " } ?? "" } ?? "\(Self.timestamp()) [\(getpid())] "
        unwritten.append("\(prefix)\(text)\n")
        if unwritten.count > Self.unwrittenLimit { unwritten.removeFirst() }
        if let path { LogRotation.rotate(path) }
        follow()
        if (try? file.writeAll(Array(unwritten.joined().utf8))) != nil { unwritten = [] }
    }

    /// What is of interest only to who looks closely.
    func detail(_ text: String) {
        if messages?.isVerbose ?? true { write(text) }
    }

    /// For what comes again with every attempt: said once, then every ten minutes.
    func writeOnce(_ text: String) {
        let now = SystemClock.monotonicSeconds()
        guard text != lastRepeated || now - lastRepeatedSeconds > 600 else { return }
        lastRepeated = text
        lastRepeatedSeconds = now
        write(text)
    }

    /// What was said before is news again if it comes back.
    func forget() { lastRepeated = "" }

    /// `2026-11-21 08:50:00.123 UTC`, as PostgreSQL writes it.
    private static func timestamp() -> String {
        let microseconds = SystemClock.now()
        var seconds = time_t(microseconds / 1_000_000)
        var parts = tm()
        gmtime_r(&seconds, &parts)
        func two(_ value: Int32) -> String { value < 10 ? "0\(value)" : "\(value)" }
        let milliseconds = String(1000 + microseconds / 1000 % 1000).dropFirst()
        return "\(parts.tm_year + 1900)-\(two(parts.tm_mon + 1))-\(two(parts.tm_mday)) "
            + "\(two(parts.tm_hour)):\(two(parts.tm_min)):\(two(parts.tm_sec)).\(milliseconds) UTC"
    }
}
