package import Platform
package import WALFormat

extension RunningServer {
    /// Whether it takes connections, by its own word in `postmaster.pid`.
    package var acceptsConnections: Bool { status == .ready || status == .standby }

    /// Waits a moment; ends early when the server dies or the interrupting descriptor becomes readable.
    package func pause(milliseconds: Int32, interrupt: Int32? = nil) throws(SystemError) {
        // `if let` would take the handle, and close it before the wait.
        guard let handle = handle() else { return }
        _ = try Poll.wait([PollItem(handle.raw), PollItem(interrupt ?? -1)], timeoutMilliseconds: milliseconds)
    }

    /// The segment which its startup process says in its title that it replays or waits for.
    package func segmentBeingRecovered() -> SegmentName? {
        let children = (try? FileTree.readText("/proc/\(pid)/task/\(pid)/children", limit: 64 << 10)) ?? ""
        for child in children.split(separator: " ") {
            let title = (try? FileTree.readText("/proc/\(child)/cmdline", limit: 4096)) ?? ""
            guard title.contains("startup") else { continue }
            for word in title.split(whereSeparator: { $0 == " " || $0 == "\0" }) {
                if let name = SegmentName(String(word)) { return name }
            }
        }
        return nil
    }
}
