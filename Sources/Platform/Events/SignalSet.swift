import CPlatform

/// Signals as something to poll.
///
/// Block them before the first thread starts: threads inherit the mask.
package enum SignalSet {
    package static func block(_ signals: [Int32]) throws(SystemError) {
        try checked(pgarchive_signal_block(signals, signals.count, true), "block signals")
    }

    package static func unblock(_ signals: [Int32]) throws(SystemError) {
        try checked(pgarchive_signal_block(signals, signals.count, false), "unblock signals")
    }

    /// For SIGPIPE: a write to a closed pipe then fails with EPIPE.
    package static func ignore(_ signal: Int32) throws(SystemError) {
        try checked(pgarchive_signal_ignore(signal), "ignore a signal")
    }

    /// For SIGQUIT: Swift's runtime takes it for a crash, and writes a report for seconds, where it can; the kernel
    /// writes a core.
    package static func endBy(_ signal: Int32) throws(SystemError) {
        try checked(pgarchive_signal_ends(signal), "end by a signal")
    }

    /// A descriptor that is readable while one of the (blocked) signals is pending.
    package static func descriptor(_ signals: [Int32]) throws(SystemError) -> Descriptor {
        Descriptor(owning: try checked(pgarchive_signal_create(signals, signals.count), "watch signals"))
    }

    /// The next pending signal, nil when there is none.
    package static func read(_ descriptor: borrowing Descriptor) throws(SystemError) -> Int32? {
        let signal = try checked(pgarchive_signal_read(descriptor.raw), "read signals")
        return signal > 0 ? signal : nil
    }
}
