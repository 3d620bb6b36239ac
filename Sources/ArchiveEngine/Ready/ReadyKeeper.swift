import ArchiveModel
import Platform
import WALFormat

/// Keeps images of the newest snapshots while a supervisor runs.
final class ReadyKeeper: Sendable {
    private let container: Container
    private let log: SupervisorLog
    private let ending: EventDescriptor

    private static let lookMilliseconds: Int32 = 5000
    private static let settleSeconds = 15.0
    /// After one that could not be made.
    private static let pauseSeconds = 300.0

    init(_ container: Container, log: SupervisorLog) throws {
        self.container = container
        self.log = log
        self.ending = try EventDescriptor()
    }

    func end() { ending.signal() }

    func run() {
        ReadyImages(container).removeHalfMade()
        var lastTrouble: String?
        var pause = Deadline(seconds: 0)
        repeat {
            guard pause.hasPassed else { continue }
            do {
                try keep()
                lastTrouble = nil
            } catch let error as ArchiveError where [.interrupted, .conflict, .notFound].contains(error.code) {
                // Told to end, or somebody makes one, or deletes the snapshot.
                continue
            } catch {
                let trouble = (error as? ArchiveError)?.what ?? "\(error)"
                if trouble != lastTrouble { log.line("no image is ready: \(trouble)") }
                lastTrouble = trouble
                pause = Deadline(seconds: Self.pauseSeconds)
            }
        } while (try? Poll.wait(for: ending.raw, timeoutMilliseconds: Self.lookMilliseconds)) == false
    }

    private func keep() throws {
        // Where a copy takes as much space again, only who asks for one gets it.
        guard container.identity.driver != .copy else { return }
        // Settings may have changed since the supervisor's start.
        let count = try SettingsFile.read(container.paths.settings).snapshotReady
        let images = ReadyImages(container)
        let now = SystemClock.now()
        let plan = ReadyPlan(
            snapshots: try SnapshotCatalog(container).all(),
            images: try images.all(),
            count: count,
            settled: PostgresTime(unixMicroseconds: now - Int64(Self.settleSeconds * 1_000_000))
        )
        for name in plan.remove { try images.remove(of: name) }
        guard let name = plan.make.first else { return }
        let begin = SystemClock.monotonicSeconds()
        _ = try ReadyImageMake(container, snapshot: name, interruption: Interruption(ending)).run(isAskedFor: false)
        let milliseconds = Int((SystemClock.monotonicSeconds() - begin) * 1000)
        log.line("snapshot '\(name)' is ready: its image was made in \(milliseconds) ms")
    }
}
