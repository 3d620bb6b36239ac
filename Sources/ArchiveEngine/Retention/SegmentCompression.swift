import ArchiveModel
import Platform
package import WALFormat
import WALStore
import Synchronization

/// Compresses the segments that the standby has replayed, several at a time.
package struct SegmentCompression: Sendable {
    let container: Container

    package init(_ container: Container) {
        self.container = container
    }

    package struct Outcome: Codable, Sendable {
        package var segments = 0
        package var bytesBefore: UInt64 = 0
        package var bytesAfter: UInt64 = 0
        package var failures: [String] = []
        /// Who compresses already; then nothing was done.
        package var runsAlready: Int32?
    }

    /// Complete plain segments that lie wholly below what the standby would replay again after a crash.
    package func candidates() throws -> [SegmentName] {
        let control = try ControlFileReader.read(container.paths.standbyTree)
        let replayed = (try? StandbyProbe(container: container).replayed) ?? control.minRecoveryPoint
        let floor = max(control.checkpointRedo, replayed)
        let size = container.segmentSize
        return try container.walDirectory.list().segments.compactMap { segment in
            guard segment.form == .plain, let start = segment.name.start(size: size),
                size.segmentEnd(of: start) <= floor
            else { return nil }
            return segment.name
        }
    }

    /// One at a time; a second one has nothing to do.
    package func run(processes: Int) throws -> Outcome {
        let lock: HeldLock
        do {
            lock = try HeldLock.acquire(container.paths.compressionLock, description: "compress-wal-archive")
        } catch let conflict as LockConflict {
            return Outcome(runsAlready: conflict.holder?.pid ?? 0)
        }
        defer { lock.release() }
        // What a killed one was writing.
        try DurableFile.removeLeftovers(in: container.paths.walArchive)
        let work = Mutex((queue: try candidates(), outcome: Outcome()))
        let directory = container.walDirectory
        let threads = try (0..<max(1, processes)).map { index in
            try OwnedThread.start(name: "compress-\(index)") {
                while let name = work.withLock({ $0.queue.isEmpty ? nil : $0.queue.removeFirst() }) {
                    do {
                        let (before, after) = try directory.compress(name)
                        work.withLock {
                            $0.outcome.segments += 1
                            $0.outcome.bytesBefore += before
                            $0.outcome.bytesAfter += after
                        }
                    } catch {
                        // Expired meanwhile.
                        if (try? directory.locate(name) == nil) ?? false { continue }
                        work.withLock { $0.outcome.failures.append("\(name): \(error)") }
                    }
                }
            }
        }
        for thread in threads { thread.join() }
        return work.withLock { $0.outcome }
    }
}
