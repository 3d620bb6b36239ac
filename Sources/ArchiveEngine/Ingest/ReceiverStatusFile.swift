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
        guard var bytes = try? Array(JSONEncoder().encode(status)) else { return }
        bytes += [UInt8](repeating: UInt8(ascii: " "), count: Self.blockBytes - bytes.count % Self.blockBytes)
        replace(path, bytes)
    }

    /// Writes into the second of two files and swaps their names: nothing is allocated, so that it can be said on a
    /// full disk that the disk is full.
    private func replace(_ path: String, _ bytes: [UInt8]) {
        let spare = "\(path).spare"
        do throws(SystemError) {
            let file = try Descriptor.open(spare, O_WRONLY | O_CREAT | O_NOFOLLOW, mode: 0o644)
            try file.writeAll(bytes, at: 0)
            if try file.size() > Int64(bytes.count) { try file.truncate(to: Int64(bytes.count)) }
            do throws(SystemError) {
                try DurableFile.exchange(spare, path)
            } catch {
                // The first time there is nothing to swap with; not every filesystem can.
                guard rename(spare, path) == 0 else { return }
                try Descriptor.open(spare, O_WRONLY | O_CREAT | O_NOFOLLOW, mode: 0o644).writeAll(bytes, at: 0)
            }
        } catch {
            // Whoever reads sees from the time that it is old.
        }
    }

    private static let blockBytes = 1024
}
