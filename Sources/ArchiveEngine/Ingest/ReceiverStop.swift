internal import Glibc
package import Platform
internal import Synchronization

/// How a receiver is told to stop: by signals in a process of its own, by an event in tests.
package final class ReceiverStop: Sendable {
    private let signals: Descriptor
    private let event: EventDescriptor?
    private let raised = Mutex(false)

    /// SIGTERM and SIGINT, which are blocked from here on; to be made before there is a second thread.
    package init() throws(SystemError) {
        try SignalSet.block([SIGTERM, SIGINT])
        try SignalSet.ignore(SIGPIPE)
        signals = try SignalSet.descriptor([SIGTERM, SIGINT])
        event = nil
    }

    package init(event: EventDescriptor) {
        signals = Descriptor(owning: -1)
        self.event = event
    }

    /// Readable when there is something new for `isRaised`.
    var descriptor: Int32 { event?.raw ?? signals.raw }

    /// Whether a stop was asked for, now or before.
    var isRaised: Bool {
        let isNew = event.map { $0.drain() } ?? (((try? SignalSet.read(signals)) ?? nil) != nil)
        return raised.withLock { raised in
            raised = raised || isNew
            return raised
        }
    }
}
