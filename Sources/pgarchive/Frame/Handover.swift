import ArchiveEngine
import ArchiveModel
import Glibc
import Platform
import PostgresLink

/// Programs that take over the terminal: psql, a pager, a browser of logs.
enum Handover {
    /// Runs a program on this terminal to its end and gives its exit code, 128 + N when signal N ended it.
    ///
    /// Keys such as Ctrl-C reach both; the program decides what they mean, so they are ignored here meanwhile.
    static func run(_ executable: String, _ arguments: [String], environment: [String: String], input: SpawnStream)
        throws -> Int32
    {
        let keys = [SIGINT, SIGQUIT].map { ($0, signal($0, SIG_IGN)) }
        defer { for (number, before) in keys { signal(number, before) } }
        return code(try spawn(executable, arguments, environment, input).wait())
    }

    /// The same, and a signal that ends this process ends the program first, so that its caller can clean up.
    static func runAndReturn(
        _ executable: String,
        _ arguments: [String],
        environment: [String: String]
    ) throws -> Int32 {
        let keys = [SIGINT, SIGQUIT].map { ($0, signal($0, SIG_IGN)) }
        defer { for (number, before) in keys { signal(number, before) } }
        let watch = try SignalWatch([SIGTERM, SIGHUP])
        let process = try spawn(executable, arguments, environment, .inherit)
        while process.poll() == nil {
            let ready = try Poll.wait(
                [PollItem(process.pidDescriptor), PollItem(watch.descriptor)],
                timeoutMilliseconds: -1
            )
            if !ready[1].isEmpty, let number = try watch.read() { process.signal(number) }
        }
        return code(process.wait())
    }

    private static func spawn(
        _ executable: String,
        _ arguments: [String],
        _ environment: [String: String],
        _ input: SpawnStream
    ) throws -> SpawnedProcess {
        try ProcessSpawn.spawn(
            SpawnRequest(
                executable: executable,
                arguments: arguments,
                environment: environment,
                standardInput: input,
                standardOutput: .inherit,
                standardError: .inherit
            )
        )
    }

    private static func code(_ status: ProcessStatus) -> Int32 {
        switch status {
        case .exited(let code): code
        case .signalled(let number): 128 + number
        }
    }

    /// This process's environment.
    static var environment: [String: String] { LibpqEnvironment.current() }
}
