internal import ArchiveModel
internal import Foundation
internal import Glibc
internal import Platform
internal import WALFormat

/// Keeps `ReceiverStatus` readable for others: replaced whole, not synced, at most five times a second.
final class ReceiverStatusFile {
    private static let shortestIntervalSeconds = 0.2
    /// Also when nothing changes, so that a reader sees a living receiver.
    private static let longestIntervalSeconds = 5.0

    private let path: String?
    private var written: ReceiverStatus
    private var writtenSeconds = -1e9
    /// Change it at will, then call `refresh`.
    var status: ReceiverStatus

    init(path: String?) {
        self.path = path
        status = ReceiverStatus(processID: getpid(), updatedAt: Self.now())
        written = status
    }

    static func now() -> PostgresTime { PostgresTime(unixMicroseconds: SystemClock.now()) }

    /// Enters a state, and writes it at once.
    func enter(_ state: ReceiverStatus.State, _ reason: String? = nil) {
        status.state = state
        status.reason = reason
        write()
    }

    /// Writes what has changed, unless that happened just now.
    func refresh() {
        let elapsed = SystemClock.monotonicSeconds() - writtenSeconds
        guard elapsed >= Self.shortestIntervalSeconds else { return }
        guard status != written || elapsed >= Self.longestIntervalSeconds else { return }
        write()
    }

    /// When `refresh` should be called again, on the monotonic clock.
    var nextSeconds: Double {
        guard path != nil else { return .infinity }
        return writtenSeconds + (status == written ? Self.longestIntervalSeconds : Self.shortestIntervalSeconds)
    }

    private func write() {
        writtenSeconds = SystemClock.monotonicSeconds()
        guard let path else { return }
        status.updatedAt = Self.now()
        written = status
        // A full disk must not stop anything: whoever reads sees from the time that it is old.
        guard let bytes = try? JSONEncoder().encode(status) else { return }
        let temporary = "\(path).new"
        guard let file = try? Descriptor.open(temporary, O_WRONLY | O_CREAT | O_TRUNC | O_NOFOLLOW, mode: 0o644),
            (try? file.writeAll(Array(bytes))) != nil
        else { return }
        if rename(temporary, path) != 0 { unlink(temporary) }
    }
}
