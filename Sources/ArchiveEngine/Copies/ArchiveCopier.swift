import ArchiveModel
import Glibc
import Platform
import Synchronization
import WALFormat
import WALStore

/// Hands each completed file of the archive to one copy's program, one at a time, until told to end.
///
/// Where it stands is in the notification files alone; killed anywhere it goes on from there.
final class ArchiveCopier: Sendable {
    let copy: WALCopy
    private let container: Container
    private let log: SupervisorLog
    private let ending: EventDescriptor
    private let watch: FileWatch?

    /// Pauses after failures double from the first to the last, in seconds.
    private static let firstPause = 1.0
    private static let lastPause = 60.0
    /// A program that goes on after SIGTERM is killed after so many seconds.
    private static let patienceSeconds = 5.0

    init(_ container: Container, _ copy: WALCopy, log: SupervisorLog) throws {
        self.container = container
        self.copy = copy
        self.log = log
        self.ending = try EventDescriptor()
        // Without one it looks every few seconds all the same.
        self.watch = try? FileWatch()
        try? watch?.add(container.paths.walArchive, [.movedTo, .created])
    }

    func end() { ending.signal() }

    private struct Ended: Error {}

    func run() {
        var failures = 0
        while true {
            do {
                try copyAll(&failures)
                try pause(30, untilChange: true)
            } catch is Ended {
                return
            } catch {
                failures += 1
                if failures == 1 { log.line("copy '\(copy.name)': \(error)") }
                let pause = min(Self.lastPause, Self.firstPause * Double(1 << min(failures - 1, 10)))
                do { try self.pause(pause, untilChange: false) } catch { return }
            }
        }
    }

    /// Copies until nothing is left.
    private func copyAll(_ failures: inout Int) throws {
        let marks = CopyMarks(container, copy.name)
        try marks.prepare()
        while true {
            // Taken before the look, so that what comes after it is seen.
            _ = try? watch?.read()
            let present = try WALArchiveFiles.complete(container)
            let (done, ready) = try marks.read()
            // An archive without any file is one that is not mounted, or moved away.
            if !present.isEmpty {
                try marks.forget(WALArchiveFiles.gone(done.union(ready).subtracting(present), from: container))
            }
            let pending = CopyOrder.pending(present: present, done: done)
            guard !pending.isEmpty else {
                note(.idle, nil, waiting: 0)
                return
            }
            for file in pending where !ready.contains(file) { try marks.setReady(file) }
            for (index, file) in pending.enumerated() {
                // A timeline's history goes before everything that came meanwhile.
                if index > 0, try hasNewHistory(file, marks: marks) { break }
                try copyOne(file, waiting: pending.count - index, failures: &failures, marks: marks)
            }
        }
    }

    private func hasNewHistory(_ next: String, marks: CopyMarks) throws -> Bool {
        guard let watch, !next.hasSuffix(".history") else { return false }
        return try watch.read().contains { $0.name?.hasSuffix(".history") == true }
    }

    private func copyOne(_ file: String, waiting: Int, failures: inout Int, marks: CopyMarks) throws {
        note(.copying, file, waiting: waiting, failures: failures)
        do {
            guard let path = try source(file) else {
                // It was expired, which happens to what is not needed by a copy that was configured later.
                return try marks.forget([file])
            }
            defer { if path.isTemporary { unlink(path.path) } }
            try run(copy.command(path: path.path, file: file))
        } catch let error as Ended {
            throw error
        } catch {
            note(.failing, file, waiting: waiting, failures: failures + 1, reason: "\(error)")
            throw error
        }
        try marks.setDone(file)
        if failures > 0 { log.line("copy '\(copy.name)' goes on, after \(failures) failures") }
        failures = 0
        lastDone.withLock { $0 = file }
    }

    private let lastDone = Mutex<String?>(nil)

    // MARK: - The file

    /// The file as PostgreSQL knows it: a compressed segment is unpacked for the program.
    private func source(_ file: String) throws -> (path: String, isTemporary: Bool)? {
        let plain = "\(container.paths.walArchive)/\(file)"
        if FileTree.exists(plain) { return (plain, false) }
        guard let name = SegmentName(file), let stored = try container.walDirectory.locate(name),
            stored.form.isComplete
        else { return nil }
        let directory = "\(container.paths.run)/copy-\(copy.name)"
        try FileTree.makeDirectory(directory, mode: 0o700, parents: true)
        try FileTree.emptyDirectory(directory)
        let path = "\(directory)/\(file)"
        try container.walDirectory.unpack(stored, to: path)
        return (path, true)
    }

    // MARK: - The program

    private struct ProgramFailure: Error, CustomStringConvertible {
        let description: String
    }

    private func run(_ command: String) throws {
        let lock: HeldLock
        do {
            lock = try HeldLock.acquire(container.paths.copyLock(copy.name), description: "copy '\(copy.name)'")
        } catch is LockConflict {
            throw ProgramFailure(description: "the program of an earlier supervisor is still at work")
        }
        defer { lock.release() }
        try FaultPoint.pass("copy.beforeProgram")
        let output = container.paths.copyLog(copy.name)
        LogRotation.rotate(output)
        let process = try ProcessSpawn.spawn(
            SpawnRequest(
                executable: "/bin/sh",
                arguments: ["-c", command],
                environment: ServerEnvironment.minimal,
                workingDirectory: container.paths.walArchive,
                standardOutput: .file(output),
                standardError: .file(output),
                // The lock lives as long as the program does, also when this process is killed.
                keptDescriptors: [lock.raw].compactMap(\.self),
                newSession: true,
                umask: 0o077
            )
        )
        let ready = try Poll.wait([PollItem(process.pidDescriptor), PollItem(ending.raw)])
        if ready[0].isEmpty {
            stop(process)
            throw Ended()
        }
        let status = process.wait()
        guard status.isSuccess else {
            let last = LogTail.lines(output, count: 1).last.map { ": \($0)" } ?? ""
            throw ProgramFailure(description: "its program ended with \(status)\(last)")
        }
        try FaultPoint.pass("copy.afterProgram")
    }

    /// With what it has started.
    private func stop(_ process: SpawnedProcess) {
        process.signalGroup(SIGTERM)
        let hasEnded = try? Poll.wait(
            for: process.pidDescriptor,
            timeoutMilliseconds: Int32(Self.patienceSeconds * 1000)
        )
        if hasEnded != true { process.signalGroup(SIGKILL) }
        _ = process.wait()
    }

    // MARK: - Waiting and telling

    private func pause(_ seconds: Double, untilChange: Bool) throws {
        let ready = try Poll.wait(
            [PollItem(ending.raw)] + (untilChange ? [watch?.raw].compactMap(\.self).map { PollItem($0) } : []),
            timeoutMilliseconds: Int32(seconds * 1000)
        )
        if ready.first?.isEmpty == false { throw Ended() }
    }

    private func note(
        _ state: CopyStatus.State,
        _ file: String?,
        waiting: Int,
        failures: Int = 0,
        reason: String? = nil
    ) {
        let status = CopyStatus(
            state: state,
            file: file,
            waiting: waiting,
            failures: failures,
            reason: reason,
            lastDone: lastDone.withLock(\.self),
            changedAt: PostgresTime(unixMicroseconds: SystemClock.now())
        )
        try? JSONFile.replace(container.paths.copyStatus(copy.name), with: status)
    }
}
