import ArchiveEngine
import ArgumentParser
import Platform

/// psql on one of the container's own servers, on this terminal.
enum Psql {
    static func run(_ container: Container, port: Int, _ arguments: [String]) throws {
        let shell = try LocalShell(container, port: port, environment: Handover.environment)
        // A leading -- ends pgarchive's own options and is none of psql's.
        let arguments = arguments.first == "--" ? Array(arguments.dropFirst()) : arguments
        let code = try Handover.run(shell.executable, arguments, environment: shell.environment, input: .inherit)
        if code != 0 { throw ExitCode(code) }
    }
}
