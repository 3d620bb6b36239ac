import ArchiveEngine
import ArchiveModel
import ArchiveTesting
import Foundation
import Platform
import PostgresLink
import Synchronization
import Testing
import WALFormat

/// A receiver on a thread of this process, with its status and log in files.
final class RunningReceiver: Sendable {
    let directory: String
    let statusFile: String
    let logFile: String
    private let stopEvent: EventDescriptor
    private let thread: OwnedThread
    private let code: Code

    final class Code: Sendable {
        let value = Mutex<Int32?>(nil)
    }

    init(
        connection: String,
        directory: String,
        configure: (inout ReceiverOptions) -> Void = { _ in }
    ) throws {
        self.directory = directory
        try FileManager.default.createDirectory(atPath: directory, withIntermediateDirectories: true)
        statusFile = "\(directory).status"
        logFile = "\(directory).log"
        var options = ReceiverOptions(connection: connection, directory: directory)
        options.statusFile = statusFile
        options.logFile = logFile
        options.lockFile = "\(directory).lock"
        configure(&options)
        let event = try EventDescriptor()
        let code = Code()
        let chosen = options
        self.code = code
        stopEvent = event
        thread = try OwnedThread.start(name: "receiver") {
            let result = Receiver.run(chosen, interruption: ReceiverStop(event: event))
            code.value.withLock { $0 = result }
        }
    }

    /// Its exit code, once it has ended.
    var exitCode: Int32? { code.value.withLock { $0 } }

    /// Stops it in order; its exit code.
    @discardableResult
    func stop() -> Int32? {
        stopEvent.signal()
        thread.join()
        return exitCode
    }

    /// Waits until it has ended by itself.
    func waitForEnd(within seconds: Double = 20) throws -> Int32? {
        try eventually(within: seconds, "the receiver ends") { exitCode != nil }
        return exitCode
    }

    var status: ReceiverStatus? {
        guard let data = FileManager.default.contents(atPath: statusFile) else { return nil }
        return try? JSONDecoder().decode(ReceiverStatus.self, from: data)
    }

    var log: String { (try? String(contentsOfFile: logFile, encoding: .utf8)) ?? "" }

    /// Complete segments and history files by name.
    var completeFiles: [String] { files.filter { !$0.contains(".partial") } }

    var files: [String] { ((try? FileManager.default.contentsOfDirectory(atPath: directory)) ?? []).sorted() }

    func bytes(_ name: String) -> Data? { FileManager.default.contents(atPath: "\(directory)/\(name)") }

    func waitForDurable(_ position: LSN, within seconds: Double = 20) throws {
        try eventually(within: seconds, "durable up to \(position); \(log)") {
            (status?.durable ?? .invalid) >= position
        }
    }
}

/// Runs a body with a receiver, and stops it whatever happens.
func withReceiver<Result>(
    _ connection: String,
    into directory: String,
    configure: (inout ReceiverOptions) -> Void = { _ in },
    _ body: (RunningReceiver) throws -> Result
) throws -> Result {
    let receiver = try RunningReceiver(connection: connection, directory: directory, configure: configure)
    defer { receiver.stop() }
    return try body(receiver)
}

extension ReceiverOptions {
    /// What it says goes where its own disk cannot be in the way.
    mutating func report(into directory: String) {
        statusFile = "\(directory)/status"
        logFile = "\(directory)/log"
        lockFile = nil
    }
}
