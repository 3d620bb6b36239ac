internal import Platform

extension RunningServer {
    /// Waits until it takes connections; for a standby that is once it is consistent.
    ///
    /// Woken by changes of `postmaster.pid`, whose last line says how far it is, and by its death.
    /// - Parameters:
    ///   - timeoutSeconds: nil for no limit; recovery may take long.
    ///   - interrupt: a descriptor which, once readable, ends the wait with `cancelled`.
    ///   - tickSeconds: how often `whileWaiting` is called.
    ///   - whileWaiting: to show progress, or to push it on.
    /// - Throws: `local` with the lines of its log that matter when it ends before; `timedOut`; `cancelled`.
    package func waitUntilReady(
        timeoutSeconds: Double?,
        interrupt: Int32 = -1,
        tickSeconds: Double = 1,
        whileWaiting: () -> Void = {}
    ) throws(LinkError) {
        let deadline = Deadline(seconds: timeoutSeconds)
        // Before the first look, so that no change falls between the two. Without a watch, looking often will do.
        let watch = try? FileWatch()
        try? watch?.add(dataDirectory, [.created, .modified, .movedTo])
        guard let handle = handle() else { throw ended() }
        var tick = Deadline(seconds: tickSeconds)
        while true {
            // The postmaster writes so once it lets clients in (postmaster.c, PM_RUN and PM_HOT_STANDBY).
            if status == .ready { return }
            let pause = Int32(max(10, min(200, tickSeconds * 1000)))
            let items = [PollItem(handle.raw), PollItem(watch?.raw ?? -1), PollItem(interrupt)]
            let left = deadline.millisecondsLeft
            let ready = try? Poll.wait(items, timeoutMilliseconds: left < 0 ? pause : min(pause, left))
            if let ready {
                if !ready[0].isEmpty { throw ended() }
                if !ready[1].isEmpty { _ = try? watch?.read() }
                if !ready[2].isEmpty { throw LinkError(.cancelled, "interrupted while the server was starting") }
            }
            if deadline.hasPassed {
                throw LinkError(.timedOut, "the server is not ready yet", log: log?.lines() ?? [])
            }
            if tick.hasPassed {
                whileWaiting()
                tick = Deadline(seconds: tickSeconds)
            }
        }
    }

    private func ended() -> LinkError {
        _ = waitForExit(timeoutSeconds: 5)
        let how = exitStatus.map { " (\($0))" } ?? ""
        return LinkError(
            .local,
            "the server ended while it was starting\(how)",
            log: log?.lines() ?? []
        )
    }
}
