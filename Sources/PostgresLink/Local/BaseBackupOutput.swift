internal import Glibc
internal import Platform

/// How far a base backup is.
package struct BaseBackupProgress: Sendable, Hashable {
    package enum Phase: Sendable, Hashable {
        case waitingForCheckpoint
        case copying
        /// All is copied, and being made durable.
        case finishing
    }

    package let phase: Phase
    package let bytesDone: UInt64
    /// The server's estimate, 0 before it is known.
    package let bytesTotal: UInt64
}

/// Reads what `pg_basebackup --progress` writes: numbers only, since words differ by version and locale.
///
/// `  23456/123456 kB (19%), 0/1 tablespace` (pg_basebackup.c: progress_report), a line or a `\r` each.
struct BaseBackupOutput {
    private(set) var progress = BaseBackupProgress(phase: .waitingForCheckpoint, bytesDone: 0, bytesTotal: 0)
    /// The last lines that are no progress.
    private(set) var words: [String] = []
    private var line: [UInt8] = []

    /// Takes all that a non-blocking pipe holds.
    mutating func take(from pipe: borrowing Descriptor) throws(SystemError) {
        var buffer = [UInt8](repeating: 0, count: 8192)
        while true {
            let count: Int
            do throws(SystemError) {
                count = try Self.read(pipe, into: &buffer)
            } catch {
                if error.errno == EAGAIN { return }
                throw error
            }
            if count == 0 { return }
            take(buffer[..<count])
            if count < buffer.count { return }
        }
    }

    private static func read(
        _ pipe: borrowing Descriptor,
        into buffer: inout [UInt8]
    ) throws(SystemError) -> Int {
        var failure: SystemError?
        let count = buffer.withUnsafeMutableBytes { space -> Int in
            do throws(SystemError) { return try pipe.read(into: space) } catch {
                failure = error
                return 0
            }
        }
        if let failure { throw failure }
        return count
    }

    mutating func take(_ bytes: some Sequence<UInt8>) {
        for byte in bytes {
            if byte == UInt8(ascii: "\n") || byte == UInt8(ascii: "\r") {
                endLine()
            } else if line.count < 4096 {
                line.append(byte)
            }
        }
    }

    private mutating func endLine() {
        defer { line = [] }
        let text = String(decoding: line, as: UTF8.self).trimmed
        guard !text.isEmpty else { return }
        if let (done, total, isLast) = Self.numbers(in: text) {
            let phase: BaseBackupProgress.Phase = isLast ? .finishing : .copying
            progress = BaseBackupProgress(phase: phase, bytesDone: done, bytesTotal: total)
        } else {
            words.append(text)
            if words.count > 20 { words.removeFirst() }
        }
    }

    /// Bytes done and in total, and whether all tablespaces are copied; nil when the line is no progress.
    static func numbers(in line: String) -> (done: UInt64, total: UInt64, isLast: Bool)? {
        guard let first = line.utf8.first, (UInt8(ascii: "0")...UInt8(ascii: "9")).contains(first) else { return nil }
        var numbers: [UInt64] = []
        for part in line.utf8.split(whereSeparator: { !(UInt8(ascii: "0")...UInt8(ascii: "9")).contains($0) }) {
            guard let number = UInt64(String(decoding: part, as: UTF8.self)) else { return nil }
            numbers.append(number)
        }
        // done, total, percent, tablespaces done, tablespaces
        guard numbers.count >= 5 else { return nil }
        let (done, total) = (numbers[0], numbers[1])
        let isLast = numbers[numbers.count - 2] == numbers[numbers.count - 1]
        return (done.multipliedClamping(by: 1024), total.multipliedClamping(by: 1024), isLast)
    }
}

extension UInt64 {
    fileprivate func multipliedClamping(by factor: UInt64) -> UInt64 {
        let (product, overflow) = multipliedReportingOverflow(by: factor)
        return overflow ? .max : product
    }
}
