import ArchiveTesting
import Foundation

/// Runs a program once for each of its system calls, and makes that call kill it or fail.
///
/// Calls that it makes before its own first line (the dynamic linker's) are left out: the shipped program has none.
struct SyscallSweep {
    let arguments: [String]
    let workingDirectory: String
    let directory: TestDirectory
    var environment: [String: String] = [:]

    static let calls = [
        "openat", "read", "pread64", "write", "pwrite64", "fsync", "fdatasync", "linkat", "link", "renameat2",
        "rename", "unlink", "ftruncate", "ioctl", "copy_file_range", "fadvise64", "sync_file_range", "getdents64",
        "mkdir",
    ]

    struct Strike {
        let call: String
        let number: Int
        let result: CommandResult
    }

    /// What happens to a call: `signal=KILL`, `error=EIO`.
    func walk(_ injection: String, calls: [String] = calls, _ body: (Strike) throws -> Void) throws -> Int {
        var strikes = 0
        let before = try counts(["--version"])
        for call in calls {
            var number = before[call, default: 0] + 1
            while true {
                let (result, isHit) = try run(injection, call, number)
                guard isHit else { break }
                number += 1
                guard let result else { continue }
                strikes += 1
                try body(Strike(call: call, number: number - 1, result: result))
                guard number < 500 else { throw TestFailure("\(call) has no end") }
            }
        }
        return strikes
    }

    /// Nil for a call of the runtime's, which looks at its own process.
    private func run(_ injection: String, _ call: String, _ number: Int) throws -> (CommandResult?, Bool) {
        let trace = "\(directory.path)/trace-\(call)"
        defer { unlink(trace) }
        // Much faster; strace 6.1 then sends no signals.
        let filter = injection.hasPrefix("error") ? ["--seccomp-bpf"] : []
        let result = try strace(
            filter + ["-o", trace, "-e", "trace=\(call)", "-e", "inject=\(call):\(injection):when=\(number)"],
            arguments
        )
        let text = (try? String(contentsOfFile: trace, encoding: .utf8)) ?? ""
        let isHit = text.contains("(INJECTED)") || text.contains("+++ killed by SIGKILL")
        let last = text.split(separator: "\n").last { !$0.contains("+++") } ?? ""
        return (last.contains("</proc/") || last.contains("</sys/") ? nil : result, isHit)
    }

    private func counts(_ arguments: [String]) throws -> [String: Int] {
        let trace = "\(directory.path)/trace-baseline"
        defer { unlink(trace) }
        _ = try strace(["-o", trace, "-e", "trace=\(Self.calls.joined(separator: ","))"], arguments)
        let text = try String(contentsOfFile: trace, encoding: .utf8)
        return text.split(separator: "\n").reduce(into: [:]) { counts, line in
            let words = line.split(separator: " ", maxSplits: 1, omittingEmptySubsequences: true)
            guard words.count == 2, let call = words[1].split(separator: "(").first else { return }
            counts[call.trimmingCharacters(in: .whitespaces), default: 0] += 1
        }
    }

    private func strace(_ options: [String], _ arguments: [String]) throws -> CommandResult {
        var command = TestCommand(
            "/usr/bin/strace",
            ["-f", "-qq", "-y"] + options + [try BuiltPrograms.pgarchiveWAL()] + arguments,
            environment: environment
        )
        command.workingDirectory = workingDirectory
        return try command.run(deadline: 120)
    }
}
