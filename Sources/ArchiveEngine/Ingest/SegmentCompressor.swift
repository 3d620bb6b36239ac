internal import Platform
internal import Synchronization
internal import WALFormat
internal import WALStore

/// Compresses complete segments on a thread of its own, in their order.
///
/// pg_receivewal writes the compressed stream itself. Here a segment is received plain: what was acknowledged is then
/// bytes in a file, which the next start checks and goes on from, where a compressed stream has to be begun anew; a
/// sync costs no worse compression; and the compression has the other processor. Complete, the segment is replaced by
/// its compressed form, which was read back before. Killed in between, it is plain, and compressed at the next start.
final class SegmentCompressor: Sendable {
    /// How many segments may wait: what is received waits for their compression, rather than filling the disk.
    static let waitingLimit = 16

    private struct State {
        var waiting: [SegmentName] = []
        var isClosed = false
    }

    private let state = Mutex(State())
    private let archive: WALDirectory
    private let codec: SegmentCodec
    private let added: EventDescriptor
    private let taken: EventDescriptor
    private let thread = Mutex<OwnedThread?>(nil)

    /// `report` is called on its thread, for what could not be compressed.
    init(_ archive: WALDirectory, _ codec: SegmentCodec, report: @escaping @Sendable (String) -> Void) throws {
        self.archive = archive
        self.codec = codec
        added = try EventDescriptor()
        taken = try EventDescriptor()
        let started = try OwnedThread.start(name: "wal-compressor") { [self] in run(report) }
        thread.withLock { $0 = started }
    }

    /// Takes a complete segment; waits while too many are there.
    func add(_ segment: FullSegment) { add(segment.name) }

    func add(_ name: SegmentName) {
        while true {
            let isTaken = state.withLock { state in
                guard state.waiting.count < Self.waitingLimit || state.isClosed else { return false }
                state.waiting.append(name)
                return true
            }
            added.signal()
            if isTaken { return }
            _ = try? Poll.wait(for: taken.raw, timeoutMilliseconds: 1000)
            taken.drain()
        }
    }

    /// Adds the last segments that are still plain: an earlier run was killed before it had compressed them.
    func addLeftovers() throws {
        let last = try archive.list().segments.filter(\.form.isComplete).suffix(Self.waitingLimit)
        for segment in last where segment.form == .plain { add(segment.name) }
    }

    /// Ends when all that wait are compressed, or the time is over: what is left then is plain until the next start.
    func close(within seconds: Double?) {
        let deadline = Deadline(seconds: seconds)
        state.withLock { $0.isClosed = true }
        added.signal()
        while state.withLock({ !$0.waiting.isEmpty }), !deadline.hasPassed {
            _ = try? Poll.wait(for: taken.raw, timeoutMilliseconds: min(100, deadline.millisecondsLeft))
            taken.drain()
        }
        state.withLock { $0.waiting = [] }
        thread.withLock { $0 }?.join()
    }

    private func run(_ report: (String) -> Void) {
        while true {
            let (next, isClosed) = state.withLock { state in
                (state.waiting.isEmpty ? nil : state.waiting.removeFirst(), state.isClosed)
            }
            taken.signal()
            if let name = next {
                compress(name, report)
            } else if isClosed {
                return
            } else {
                _ = try? Poll.wait(for: added.raw)
                added.drain()
            }
        }
    }

    private func compress(_ name: SegmentName, _ report: (String) -> Void) {
        do {
            try archive.compress(name, as: codec)
        } catch StoreError.notFound {
            // Somebody has taken it away already.
        } catch {
            report("error: \(name) stays as it is, not compressed: \(error)")
        }
    }
}
