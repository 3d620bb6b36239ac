package import ArchiveModel
import Platform
package import PostgresLink
package import WALFormat
import WALStore

/// A clone as a running PostgreSQL server.
package struct CloneServer: Sendable {
    let container: Container
    package let record: CloneRecord

    package init(_ container: Container, _ record: CloneRecord) {
        self.container = container
        self.record = record
    }

    private var paths: ClonePaths { container.paths.clone(record.name) }

    package var running: RunningServer? { PostgresServer.find(dataDirectory: paths.tree.data) }
    package var isRunning: Bool { running != nil }
    package var logDirectory: String { paths.log }

    /// What a start cost.
    package struct Started: Codable, Sendable {
        package var seconds: Double
        /// Not the record's where that one was in use.
        package var port: Int
        package var replayedBytes: UInt64
        package var stop: LSN?
        package var timeline: TimelineID?
    }

    /// Starts the server, recovers it to its target at the first start, and returns when it takes writes.
    package func start(progress: Progress = .silent, interruption: Interruption? = nil) throws -> Started {
        guard !isRunning else {
            throw ArchiveError(
                .conflict,
                "clone '\(record.name)' is running already",
                hint: "'pgarchive clone psql \(record.name)' connects to it"
            )
        }
        // Another program may have taken the port since it was given, even between a look and the start.
        for _ in 0..<5 {
            let current = CloneServer(container, try withFreePort(progress))
            do {
                return try current.startOnce(progress: progress, interruption: interruption)
            } catch let error as ArchiveError where error.code == .failed && !LocalPort.isFree(current.record.port) {
                continue
            }
        }
        return try startOnce(progress: progress, interruption: interruption)
    }

    /// The clone's record, with another port when its own is in use.
    private func withFreePort(_ progress: Progress) throws -> CloneRecord {
        guard !LocalPort.isFree(record.port) else { return record }
        return try ClonePorts.withLock(container) { port in
            progress.note("port \(record.port) is in use: clone '\(record.name)' gets \(port)")
            var moved = record
            moved.port = port
            try CloneCatalog(container).save(moved)
            return moved
        }
    }

    private func startOnce(progress: Progress, interruption: Interruption?) throws -> Started {
        let begin = SystemClock.monotonicSeconds()
        let isRecovering = FileTree.exists(paths.tree.standbySignal)
        let configuration = CloneConfiguration(container: container, record: record)
        try FileTree.removeFile(configuration.endFile)
        progress.step(isRecovering ? "recovering to \(record.stop)" : "starting")
        let server = try PostgresServer.start(try configuration.launch(recovering: isRecovering))
        do {
            var timeline: TimelineID?
            if isRecovering {
                let recovery = CloneRecovery(
                    container: container,
                    record: record,
                    server: server,
                    progress: progress,
                    interruption: interruption
                )
                timeline = try recovery.run(endFile: configuration.endFile)
            } else if record.state == .created {
                // Promoted, and the command ended before that was checked and noted.
                try server.waitUntilReady(timeoutSeconds: nil, interrupt: interruption?.descriptor ?? -1)
                timeline = try CloneRecovery(
                    container: container,
                    record: record,
                    server: server,
                    progress: progress,
                    interruption: interruption
                ).finish()
            } else {
                do {
                    try server.waitUntilReady(timeoutSeconds: nil, interrupt: interruption?.descriptor ?? -1)
                } catch {
                    try interruption?.check()
                    throw error
                }
            }
            return Started(
                seconds: SystemClock.monotonicSeconds() - begin,
                port: record.port,
                replayedBytes: isRecovering ? record.stop.bytes(since: record.redo) : 0,
                stop: isRecovering ? record.stop : nil,
                timeline: timeline
            )
        } catch {
            try? server.stop(.immediate, timeoutSeconds: 10)
            throw failure(error, server: server)
        }
    }

    /// Why the server did not come up, with the lines of its log that matter.
    private func failure(_ error: any Error, server: RunningServer) -> any Error {
        if let error = error as? ArchiveError { return error }
        return ArchiveError(
            .failed,
            "clone '\(record.name)' did not start: \(error)",
            hint: "the whole log: 'pgarchive clone log \(record.name)'",
            details: LogTail.reasons(directory: paths.log)
        )
    }

    package func stop(mode: RunningServer.StopMode = .fast, timeoutSeconds: Double = 60) throws {
        guard let server = running else { return }
        do {
            try server.stop(mode, timeoutSeconds: timeoutSeconds)
        } catch {
            throw ArchiveError(
                .failed,
                "clone '\(record.name)' did not stop: \(error)",
                hint: "'pgarchive clone stop \(record.name) -m immediate'"
            )
        }
    }

    package func reload() throws {
        guard let server = running else {
            throw ArchiveError(
                .conflict,
                "clone '\(record.name)' is not running",
                hint: "'pgarchive clone start \(record.name)'"
            )
        }
        try server.reload()
    }
}
