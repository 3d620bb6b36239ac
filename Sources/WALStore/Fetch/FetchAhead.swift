import ArchiveModel
import Glibc
import Platform
package import WALFormat

/// Prepares segments before a recovering PostgreSQL asks for them: while it replays one, the next are checked and cut.
///
/// They lie in its pg_wal, whole and under the limit that they were made for, and a fetch (`--ahead`) only gives them
/// the name that was asked for. It is never needed: whatever is wrong with a segment is left to fetch to find, and say.
package struct FetchAhead: Sendable {
    private let request: FetchRequest
    private let writeAheadLog: String
    private let mostBytes: UInt64

    /// - Parameters:
    ///   - request: what fetch is asked for each segment; with its `until`.
    ///   - writeAheadLog: the server's pg_wal.
    ///   - mostBytes: more than this in front of the replay only takes space where it is no copy by reference.
    package init(_ request: FetchRequest, writeAheadLog: String, mostBytes: UInt64 = 128 << 20) {
        self.request = request
        self.writeAheadLog = writeAheadLog
        self.mostBytes = mostBytes
    }

    /// Prepares from the segment with `redo` on, until the last, trouble that stays, or until it is over.
    package func run(from redo: LSN, isOver: () -> Bool) {
        guard let until = request.until, let size = request.segmentSize, let path = request.path,
            (try? FileTree.makeDirectory(Self.directory(writeAheadLog), mode: 0o700, parents: false)) != nil
        else { return }
        let most = max(1, Int(mostBytes / size.bytes))
        var lying: [(prepared: String, given: String)] = []
        var start = max(size.segmentStart(of: redo), oldestGiven(size))
        while start < until, !isOver() {
            lying.removeAll { segment in
                // The server has got it by itself meanwhile, and asks no more for it.
                if FileTree.exists(segment.given) { unlink(segment.prepared) }
                return !FileTree.exists(segment.prepared)
            }
            guard lying.count < most else {
                SystemClock.sleep(seconds: 0.002)
                continue
            }
            let end = min(size.segmentEnd(of: start), until)
            let name = SegmentName(
                timeline: path.timeline(at: LSN(end.rawValue &- 1)),
                containing: start,
                size: size
            )
            let given = FilePath.join(writeAheadLog, name.description)
            let prepared = Self.path(name, upTo: end, in: writeAheadLog)
            // Else the server was faster.
            if !FileTree.exists(given) {
                switch prepare(name, prepared) {
                case true?: lying.append((prepared, given))
                case false?: return
                case nil:
                    SystemClock.sleep(seconds: 0.1)
                    continue
                }
            }
            start = size.segmentEnd(of: start)
        }
    }

    /// Where what the server has begins: of a recovery that was taken over it may have removed the first segments.
    private func oldestGiven(_ size: SegmentSize) -> LSN {
        let names = (try? FileTree.list(writeAheadLog)) ?? []
        return names.compactMap { SegmentName($0)?.start(size: size) }.min() ?? .invalid
    }

    /// - Returns: false for trouble that stays; nil where the segment, or the rest of it, may come yet.
    private func prepare(_ name: SegmentName, _ path: String) -> Bool? {
        var request = request
        request.name = name.description
        request.target = path
        let fetch = SegmentFetch(request)
        do {
            return try fetch.serve() ? true : nil
        } catch {
            return [.missing, .short].contains(fetch.trouble(error).kind) ? nil : false
        }
    }

    /// Removes what was not asked for.
    package static func remove(in writeAheadLog: String) {
        try? FileTree.removeTree(directory(writeAheadLog))
    }

    /// Gives the server what lies ready for its request.
    static func take(_ segment: FetchPlan.Segment, for target: String) -> Bool {
        let prepared = path(segment.name, upTo: segment.limit, in: FilePath.parent(of: target))
        // Its time is that of its giving: by these times fetch knows what the server got last.
        guard utimensat(AT_FDCWD, prepared, nil, 0) == 0 else { return false }
        return rename(prepared, target) == 0
    }

    private static func directory(_ writeAheadLog: String) -> String {
        FilePath.join(writeAheadLog, "pgarchive.ahead")
    }

    private static func path(_ name: SegmentName, upTo limit: LSN, in writeAheadLog: String) -> String {
        FilePath.join(directory(writeAheadLog), "\(name)-\(limit.rawValue)")
    }
}
