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

    /// Prepares from the segment with `redo` on, until the last, the first trouble, or until it is over.
    package func run(from redo: LSN, isOver: () -> Bool) {
        guard let until = request.until, let size = request.segmentSize, let path = request.path,
            (try? FileTree.makeDirectory(Self.directory(writeAheadLog), mode: 0o700, parents: false)) != nil
        else { return }
        let most = max(1, Int(mostBytes / size.bytes))
        var lying: [String] = []
        var start = size.segmentStart(of: redo)
        while start < until, !isOver() {
            lying.removeAll { !FileTree.exists($0) }
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
            start = size.segmentEnd(of: start)
            // The server was faster.
            let given = FilePath.join(writeAheadLog, name.description)
            if FileTree.exists(given) { continue }
            let prepared = Self.path(name, upTo: end, in: writeAheadLog)
            guard serve(name, to: prepared) else { return }
            if FileTree.exists(given) { unlink(prepared) } else { lying.append(prepared) }
        }
    }

    private func serve(_ name: SegmentName, to path: String) -> Bool {
        var request = request
        request.name = name.description
        request.target = path
        return (try? SegmentFetch(request).serve()) ?? false
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
