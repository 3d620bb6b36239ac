import Glibc

package struct PollEvents: OptionSet, Sendable {
    package let rawValue: Int16
    package init(rawValue: Int16) { self.rawValue = rawValue }

    package static let readable = PollEvents(rawValue: Int16(POLLIN))
    package static let writable = PollEvents(rawValue: Int16(POLLOUT))
    /// Never asked for, always reported.
    package static let failed = PollEvents(rawValue: Int16(POLLERR))
    package static let hangUp = PollEvents(rawValue: Int16(POLLHUP))
    package static let invalid = PollEvents(rawValue: Int16(POLLNVAL))
}

package struct PollItem: Sendable {
    /// A negative one is passed over.
    package var descriptor: Int32
    package var events: PollEvents

    package init(_ descriptor: Int32, _ events: PollEvents = .readable) {
        self.descriptor = descriptor
        self.events = events
    }
}

package enum Poll {
    /// Waits until one of the items is ready; what is ready, in the items' order, all empty when the time is over.
    ///
    /// A negative timeout means no limit. Signals do not end the wait.
    package static func wait(
        _ items: [PollItem],
        timeoutMilliseconds: Int32 = -1
    ) throws(SystemError) -> [PollEvents] {
        let deadline = Deadline(seconds: timeoutMilliseconds < 0 ? nil : Double(timeoutMilliseconds) / 1000)
        var polled = items.map { pollfd(fd: $0.descriptor, events: $0.events.rawValue, revents: 0) }
        while true {
            let ready = poll(&polled, nfds_t(polled.count), deadline.millisecondsLeft)
            if ready >= 0 { return polled.map { PollEvents(rawValue: $0.revents) } }
            guard errno == EINTR else { throw SystemError(call: "poll", errno: errno, path: nil) }
        }
    }

    /// The same for one descriptor: whether it became ready.
    package static func wait(
        for descriptor: Int32,
        _ events: PollEvents = .readable,
        timeoutMilliseconds: Int32 = -1
    ) throws(SystemError) -> Bool {
        let ready = try wait([PollItem(descriptor, events)], timeoutMilliseconds: timeoutMilliseconds)
        return ready.contains { !$0.isEmpty }
    }
}
