import Foundation
import Synchronization

/// A program that a test started and has to end.
package final class TestProcess: Sendable {
    package let pid: Int32
    private let shown: String
    private let started = ContinuousClock.now
    private let outputPath: String
    private let errorPath: String
    private let status = Mutex<Int32?>(nil)

    init(_ command: TestCommand) throws {
        let stem = NSTemporaryDirectory() + "pgat-\(getpid())-\(UInt64.random(in: 0...UInt64.max))"
        outputPath = stem + ".out"
        errorPath = stem + ".err"
        shown = command.shown
        let inputPath = command.input == nil ? "/dev/null" : stem + ".in"
        if let input = command.input {
            guard FileManager.default.createFile(atPath: inputPath, contents: Data(input.utf8)) else {
                throw TestFailure("cannot write \(inputPath)")
            }
        }
        defer { if command.input != nil { unlink(inputPath) } }
        pid = try Self.spawn(command, input: inputPath, output: outputPath, error: errorPath)
    }

    deinit {
        if exitStatus == nil {
            kill(-pid, SIGKILL)
            _ = try? wait(deadline: 5)
        }
        unlink(outputPath)
        unlink(errorPath)
    }

    /// The exit status once it has ended, 128 and more for a signal.
    package var exitStatus: Int32? {
        status.withLock { known in
            if let known { return known }
            var raw: Int32 = 0
            guard waitpid(pid, &raw, WNOHANG) == pid else { return nil }
            known = raw & 0x7F == 0 ? (raw >> 8) & 0xFF : 128 + (raw & 0x7F)
            return known
        }
    }

    package var isRunning: Bool { exitStatus == nil }
    package var output: String { Self.text(of: outputPath) }
    package var error: String { Self.text(of: errorPath) }

    package func signal(_ number: Int32) {
        if exitStatus == nil { kill(pid, number) }
    }

    /// Waits for the end.
    ///
    /// - Throws: TestFailure with what it wrote when it still runs after `deadline` seconds; it is killed.
    @discardableResult
    package func wait(deadline: Double = 60) throws -> CommandResult {
        let limit = ContinuousClock.now + .seconds(deadline)
        var pause: UInt32 = 500
        while exitStatus == nil {
            if ContinuousClock.now > limit {
                kill(-pid, SIGKILL)
                let partial = "\(shown)\n  stdout: \(output)\n  stderr: \(error)"
                while exitStatus == nil { usleep(1000) }
                throw TestFailure("not ended after \(deadline) s: \(partial)")
            }
            usleep(pause)
            pause = min(pause * 2, 10_000)
        }
        let elapsed = ContinuousClock.now - started
        if ProcessInfo.processInfo.environment["PGARCHIVE_TEST_TRACE"] != nil {
            FileHandle.standardError.write(Data("\(elapsed) \(shown)\n".utf8))
        }
        return CommandResult(
            command: shown,
            status: exitStatus ?? -1,
            output: output,
            error: error,
            seconds: Double(elapsed.components.seconds) + Double(elapsed.components.attoseconds) / 1e18
        )
    }

    private static func text(of path: String) -> String {
        guard let data = FileManager.default.contents(atPath: path) else { return "" }
        return String(decoding: data, as: UTF8.self)
    }

    private static func spawn(_ command: TestCommand, input: String, output: String, error: String) throws -> Int32 {
        var actions = posix_spawn_file_actions_t()
        posix_spawn_file_actions_init(&actions)
        defer { posix_spawn_file_actions_destroy(&actions) }
        posix_spawn_file_actions_addopen(&actions, 0, input, O_RDONLY, 0)
        posix_spawn_file_actions_addopen(&actions, 1, output, O_WRONLY | O_CREAT | O_TRUNC | O_APPEND, 0o644)
        posix_spawn_file_actions_addopen(&actions, 2, error, O_WRONLY | O_CREAT | O_TRUNC | O_APPEND, 0o644)
        var attributes = posix_spawnattr_t()
        posix_spawnattr_init(&attributes)
        defer { posix_spawnattr_destroy(&attributes) }
        var mask = sigset_t()
        sigemptyset(&mask)
        posix_spawnattr_setsigmask(&attributes, &mask)
        posix_spawnattr_setpgroup(&attributes, 0)
        posix_spawnattr_setflags(&attributes, Int16(POSIX_SPAWN_SETPGROUP | POSIX_SPAWN_SETSIGMASK))
        var words: [UnsafeMutablePointer<CChar>?] = command.launchArguments.map { strdup($0) }
        words.append(nil)
        defer { for word in words { free(word) } }
        var environment: [UnsafeMutablePointer<CChar>?] = [nil]
        var child: pid_t = 0
        let code = posix_spawn(&child, "/usr/bin/env", &actions, &attributes, &words, &environment)
        guard code == 0 else { throw TestFailure("cannot start \(command.shown): errno \(code)") }
        return child
    }
}
