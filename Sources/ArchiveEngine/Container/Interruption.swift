import ArchiveModel
import Glibc
package import Platform

/// Signals that a process waits for together with other things.
package final class SignalWatch: Sendable {
    private let source: Descriptor

    /// Blocks the signals for this process; what it starts gets a clean mask.
    package init(_ signals: [Int32]) throws {
        try SignalSet.block(signals)
        self.source = try SignalSet.descriptor(signals)
    }

    /// Readable while a signal is pending.
    package var descriptor: Int32 { source.raw }

    package func read() throws -> Int32? { try SignalSet.read(source) }
}

/// SIGINT and SIGTERM as something that long work asks about, so that it can clean up after itself.
package final class Interruption: Sendable {
    private let signals: SignalWatch?
    private let ending: EventDescriptor?

    package init() throws {
        self.signals = try SignalWatch([SIGINT, SIGTERM, SIGHUP])
        self.ending = nil
    }

    /// Of a part of a process that goes on for longer.
    package init(_ ending: EventDescriptor) {
        self.signals = nil
        self.ending = ending
    }

    /// Becomes readable when the work should end.
    package var descriptor: Int32 { signals?.descriptor ?? ending?.raw ?? -1 }

    package func check() throws {
        try pause(milliseconds: 0)
    }

    /// Waits; returns early, with an error, when interrupted.
    package func pause(milliseconds: Int32) throws {
        guard try Poll.wait(for: descriptor, timeoutMilliseconds: milliseconds) else { return }
        throw ArchiveError(.interrupted, "interrupted")
    }
}
