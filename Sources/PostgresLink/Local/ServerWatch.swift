internal import Glibc
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
        for title in titles() ?? [] where title.contains("startup") {
            for word in title.split(whereSeparator: { $0 == " " || $0 == "\0" }) {
                if let name = SegmentName(String(word)) { return name }
            }
        }
        return nil
    }

    /// How many clients are connected, by its processes' titles: nothing is asked of it, and nothing started.
    ///
    /// Nil where that cannot be seen.
    package func clientCount() -> Int? { titles().map { $0.count(where: Self.isClient) } }

    /// `postgres: cluster: role database [local] idle`, or `… 10.0.0.7(41234) idle`.
    static func isClient(title: String) -> Bool {
        guard title.hasPrefix("postgres: ") else { return false }
        return title.split(whereSeparator: { $0 == " " || $0 == "\0" }).contains { word in
            if word == "[local]" { return true }
            guard word.hasSuffix(")"), let bracket = word.lastIndex(of: "("), bracket > word.startIndex else {
                return false
            }
            return UInt16(word[word.index(after: bracket)...].dropLast()) != nil
        }
    }

    /// What its processes call themselves; nil where one cannot be read.
    private func titles() -> [String]? {
        guard let children = try? FileTree.readText("/proc/\(pid)/task/\(pid)/children", limit: 1 << 20) else {
            return nil
        }
        var titles: [String] = []
        for child in children.split(separator: " ") {
            do throws(SystemError) {
                titles.append(try FileTree.readText("/proc/\(child)/cmdline", limit: 1 << 20))
            } catch {
                // It has ended meanwhile.
                guard error.errno == ENOENT || error.errno == ESRCH else { return nil }
            }
        }
        return titles
    }
}
