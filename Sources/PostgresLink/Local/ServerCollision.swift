internal import Platform

extension RunningServer {
    /// Waits until the server has its shared memory, and tells whether it has ended instead because of another's.
    ///
    /// PostgreSQL looks for what an earlier server of its directory may have left under the inode of that directory
    /// (sysv_shmem.c, PGSharedMemoryCreate). Copies of a btrfs subvolume all have the same one, so a start looks
    /// through the segments of all their servers, and gives up where one of them comes or goes at that moment. Tried
    /// again it goes by.
    /// - Parameter interrupt: a descriptor which, once readable, ends the wait.
    func hasEndedBesideAnother(interrupt: Int32) -> Bool {
        guard let log else { return false }
        let deadline = Deadline(seconds: 60)
        let watch = try? FileWatch()
        try? watch?.add(dataDirectory, [.created, .modified, .movedTo])
        guard let handle = handle() else { return log.hasEarly(SQLState.lockFileExists) }
        while !deadline.hasPassed {
            if PostmasterFile.read(dataDirectory: dataDirectory)?.hasSharedMemory == true { return false }
            let items = [PollItem(handle.raw), PollItem(watch?.raw ?? -1), PollItem(interrupt)]
            let ready = try? Poll.wait(items, timeoutMilliseconds: min(20, deadline.millisecondsLeft))
            if let ready, !ready[1].isEmpty { _ = try? watch?.read() }
            if let ready, !ready[0].isEmpty {
                _ = waitForExit(timeoutSeconds: 5)
                return log.hasEarly(SQLState.lockFileExists)
            }
            if let ready, !ready[2].isEmpty { return false }
        }
        return false
    }
}
