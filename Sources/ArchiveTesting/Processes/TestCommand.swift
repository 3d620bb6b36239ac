import Foundation

/// What a program left behind when it ended.
package struct CommandResult: Sendable, CustomStringConvertible {
    package let command: String
    /// The exit status; 128 and the signal's number when a signal ended it, as a shell says it.
    package let status: Int32
    package let output: String
    package let error: String
    package let seconds: Double

    /// The output without the line end at its end.
    package var text: String {
        output.hasSuffix("\n") ? String(output.dropLast()) : output
    }

    package var lines: [String] {
        output.split(separator: "\n", omittingEmptySubsequences: true).map(String.init)
    }

    package var description: String {
        "\(command)\n  exit \(status) after \(seconds.formatted(.number.precision(.fractionLength(2)))) s"
            + "\n  stdout: \(output)\n  stderr: \(error)"
    }
}

/// A program to run with an explicit environment, as one user, to its end or in the background.
package struct TestCommand: Sendable {
    package var executable: String
    package var arguments: [String]
    package var environment: [String: String]
    package var workingDirectory: String = "/"
    package var user: TestUser = .owner
    /// The file creation mask in octal; nil for 022.
    package var umask: String?
    package var input: String?

    package static let path = "/usr/local/bin:/usr/bin:/bin:/usr/sbin:/sbin"

    package init(_ executable: String, _ arguments: [String] = [], environment: [String: String] = [:]) {
        self.executable = executable
        self.arguments = arguments
        self.environment = environment
    }

    /// Runs to the end.
    ///
    /// - Throws: TestFailure when it cannot be started or has not ended after `deadline` seconds; it is killed then.
    package func run(deadline: Double = 60) throws -> CommandResult {
        let process = try start()
        return try process.wait(deadline: deadline)
    }

    /// Runs to the end, and throws when the exit status is not 0.
    @discardableResult
    package func succeed(deadline: Double = 60) throws -> CommandResult {
        let result = try run(deadline: deadline)
        guard result.status == 0 else { throw TestFailure("failed: \(result)") }
        return result
    }

    /// Starts it in a process group of its own, with its output going to files.
    package func start() throws -> TestProcess {
        try TestProcess(self)
    }

    /// The whole command line: `env` sets directory and environment, `setpriv` the user, so that neither
    /// needs a fork with code of ours in the child.
    var launchArguments: [String] {
        var words = ["env", "-i", "--chdir=\(workingDirectory)"]
        words += fullEnvironment.sorted { $0.key < $1.key }.map { "\($0.key)=\($0.value)" }
        if user == .owner, TestEnvironment.isRoot {
            let owner = TestEnvironment.owner
            words += ["setpriv", "--reuid=\(owner.uid)", "--regid=\(owner.gid)", "--init-groups", "--"]
        }
        if let umask { words += ["sh", "-c", "umask \(umask); exec \"$@\"", "sh"] }
        return words + [executable] + arguments
    }

    private var fullEnvironment: [String: String] {
        let account = user == .owner ? TestEnvironment.owner : TestAccount.current
        let standard = [
            "PATH": Self.path, "LC_ALL": "C.UTF-8", "TZ": "UTC",
            "HOME": account.home, "USER": account.name,
        ]
        return standard.merging(environment) { $1 }
    }

    var shown: String {
        ([executable] + arguments).map { $0.contains(" ") ? "'\($0)'" : $0 }.joined(separator: " ")
    }
}
