import Foundation

/// The built `pgarchive`, run with an explicit environment: nothing of the shell that runs the tests reaches it.
package struct PgArchive: Sendable {
    package var environment: [String: String]
    package var user: TestUser
    package var workingDirectory = "/"
    package var umask: String?

    /// `container` is what commands mean, given by PGARCHIVE; nil leaves it to the command line.
    package init(home: String, container: String? = nil, user: TestUser = .caller) {
        environment = ["PGARCHIVE_HOME": home, "NO_COLOR": "1"]
        environment["PGARCHIVE"] = container
        for bin in TestEnvironment.furtherPostgresBins {
            let major = ProcessInfo.processInfo.environment.first {
                $0.key.hasPrefix("PGARCHIVE_POSTGRES_") && $0.value == bin
            }
            if let major { environment[major.key] = bin }
        }
        self.user = user
    }

    /// Runs one command to its end, whatever its exit status.
    package func run(_ arguments: [String], input: String? = nil, deadline: Double = 60) throws -> CommandResult {
        var command = try command(arguments)
        command.input = input
        return try command.run(deadline: deadline)
    }

    package func run(_ arguments: String..., deadline: Double = 60) throws -> CommandResult {
        try run(arguments, deadline: deadline)
    }

    /// Runs one command, and throws with all that it wrote when its exit status is not 0.
    @discardableResult
    package func callAsFunction(_ arguments: String..., deadline: Double = 60) throws -> CommandResult {
        try command(arguments).succeed(deadline: deadline)
    }

    @discardableResult
    package func succeed(_ arguments: [String], deadline: Double = 60) throws -> CommandResult {
        try command(arguments).succeed(deadline: deadline)
    }

    /// Starts a command that goes on until it is stopped (`log -f`, `container run`).
    package func start(_ arguments: String...) throws -> TestProcess {
        try command(arguments).start()
    }

    package func command(_ arguments: [String]) throws -> TestCommand {
        var command = TestCommand(try BuiltPrograms.pgarchive(), arguments, environment: environment)
        command.user = user
        command.workingDirectory = workingDirectory
        command.umask = umask
        return command
    }

    package func setting(_ name: String, _ value: String?) -> PgArchive {
        var copy = self
        copy.environment[name] = value
        return copy
    }

    package func with(user: TestUser) -> PgArchive {
        var copy = self
        copy.user = user
        return copy
    }

    /// A command's `--output json` as a value.
    package func json(_ arguments: String..., deadline: Double = 60) throws -> JSONValue {
        let result = try succeed(arguments + ["--output", "json"], deadline: deadline)
        guard let value = JSONValue(result.output) else { throw TestFailure("not JSON: \(result)") }
        return value
    }
}
