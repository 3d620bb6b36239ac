import CPlatform
import Glibc

/// Wakes a thread that polls: an eventfd.
package final class EventDescriptor: Sendable {
    private let descriptor: Descriptor

    package init() throws(SystemError) {
        descriptor = Descriptor(owning: try checked(pgarchive_event_create(), "create an event"))
    }

    /// For `poll`; readable once signalled.
    package var raw: Int32 { descriptor.raw }

    package func signal() { pgarchive_event_signal(descriptor.raw) }

    /// Takes what was signalled since the last time; whether there was anything.
    @discardableResult
    package func drain() -> Bool { pgarchive_event_drain(descriptor.raw) > 0 }
}

/// A timer that can be polled: a timerfd on the monotonic clock.
package final class TimerDescriptor: Sendable {
    private let descriptor: Descriptor

    package init() throws(SystemError) {
        descriptor = Descriptor(owning: try checked(pgarchive_timer_create(), "create a timer"))
    }

    package var raw: Int32 { descriptor.raw }

    /// Fires after `seconds`, then each `interval` seconds if that is given.
    package func set(after seconds: Double, every interval: Double = 0) throws(SystemError) {
        // A first expiry of zero would disarm it.
        let first = max(1, Int64(seconds * 1e9))
        try checked(pgarchive_timer_set(descriptor.raw, first, Int64(interval * 1e9)), "set a timer")
    }

    package func disarm() throws(SystemError) { try checked(pgarchive_timer_set(descriptor.raw, 0, 0), "set a timer") }

    /// Takes the expiries; how many there were since the last time.
    @discardableResult
    package func drain() -> Int { Int(max(0, pgarchive_event_drain(descriptor.raw))) }
}
