internal import CLibpq
internal import Platform

extension RunningServer {
    /// Waits until it takes connections; for a standby that is once it is consistent.
    ///
    /// - Parameters:
    ///   - timeoutSeconds: nil for no limit; recovery may take long.
    ///   - interrupt: a descriptor which, once readable, ends the wait with `cancelled`.
    ///   - whileWaiting: called about once a second, to show progress.
    /// - Throws: `local` with the lines of its log that matter when it ends before; `timedOut`; `cancelled`.
    package func waitUntilReady(
        timeoutSeconds: Double?,
        interrupt: Int32 = -1,
        whileWaiting: () -> Void = {}
    ) throws(LinkError) {
        throw LinkError(.local, "not there yet")
    }
}
