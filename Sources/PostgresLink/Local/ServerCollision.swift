internal import Platform

extension PostgresServer {
    /// Starts a server and brings it up, once more where it ended because of another's shared memory.
    ///
    /// PostgreSQL looks for what an earlier server of its directory may have left under the inode of that directory
    /// (sysv_shmem.c, PGSharedMemoryCreate). Copies of a btrfs subvolume all have the same one, so a start looks
    /// through the segments of all their servers, and gives up where one of them comes or goes at that moment. Tried
    /// again it goes by.
    /// - Parameter bringUp: what is done with it, to be done anew with the next one; throws when it ends.
    package static func start<Result>(
        _ launch: ServerLaunch,
        bringUp: (RunningServer) throws -> Result
    ) throws -> Result {
        for pauseSeconds in [0.02, 0.04, 0.08, 0.16, 0.32] {
            let server = try start(launch)
            do {
                return try bringUp(server)
            } catch {
                guard server.hasEndedBesideAnother else { throw error }
                SystemClock.sleep(seconds: pauseSeconds)
            }
        }
        return try bringUp(try start(launch))
    }
}

extension RunningServer {
    fileprivate var hasEndedBesideAnother: Bool { !isAlive && log?.hasEarly(SQLState.lockFileExists) == true }
}
