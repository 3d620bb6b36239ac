import Platform
import Synchronization
import WALFormat

/// Threads that read pieces ahead of the one who takes the results in order.
final class SurveyTeam: Sendable {
    private struct Work {
        /// The next piece to be read.
        var next: UInt64 = 0
        /// The next result to be taken.
        var taken: UInt64 = 0
        var done: [UInt64: SurveyedPiece] = [:]
        /// Memory of results that were taken.
        var spare: [SegmentSurvey] = []
        var isStopped = false
    }

    private let work = Mutex(Work())
    private let pieces: SurveyPieces
    private let finished: EventDescriptor
    /// One for each thread: there is room for another result.
    private let room: [EventDescriptor]
    private let threads = Mutex<[OwnedThread]>([])

    init(_ source: SurveySource, _ pieces: SurveyPieces, workers: Int) throws(SystemError) {
        self.pieces = pieces
        finished = try EventDescriptor()
        var room: [EventDescriptor] = []
        for _ in 0..<workers { room.append(try EventDescriptor()) }
        self.room = room
        do throws(SystemError) {
            for number in 0..<workers {
                let thread = try OwnedThread.start(name: "survey-\(number)") { [self] in
                    self.run(SurveyReading(source), number)
                }
                threads.withLock { $0.append(thread) }
            }
        } catch {
            stop()
            throw error
        }
    }

    /// Results that wait, and pieces in work, at any time: a thread that has to wait for its turn can read one ahead.
    private var window: UInt64 { UInt64(room.count * 2) }

    private func run(_ reading: SurveyReading, _ number: Int) {
        while true {
            guard let (piece, memory) = claim() else {
                let isOver = work.withLock { $0.isStopped || $0.next >= pieces.count }
                if isOver { return }
                // Without an event to wait for there is nothing to do but to look again.
                _ = try? Poll.wait(for: room[number].raw, timeoutMilliseconds: 1000)
                room[number].drain()
                continue
            }
            let result = reading.read(piece, reusing: memory)
            work.withLock { $0.done[piece.index] = result }
            finished.signal()
        }
    }

    private func claim() -> (SurveyPieces.Piece, SegmentSurvey?)? {
        work.withLock { work in
            guard !work.isStopped, work.next < work.taken + window, let piece = pieces[work.next] else { return nil }
            work.next += 1
            return (piece, work.spare.popLast())
        }
    }

    /// The next result, in order; waits for it.
    func next() throws(SystemError) -> SurveyedPiece {
        while true {
            let result = work.withLock { work in
                let result = work.done.removeValue(forKey: work.taken)
                if result != nil { work.taken += 1 }
                return result
            }
            if let result {
                for event in room { event.signal() }
                return result
            }
            _ = try Poll.wait(for: finished.raw)
            finished.drain()
        }
    }

    func giveBack(_ memory: consuming SegmentSurvey?) {
        guard let memory else { return }
        work.withLock { $0.spare.append(memory) }
    }

    /// Ends the threads, each after the piece it is at, and waits for them.
    func stop() {
        work.withLock { $0.isStopped = true }
        for event in room { event.signal() }
        for thread in threads.withLock({ $0 }) { thread.join() }
    }
}
