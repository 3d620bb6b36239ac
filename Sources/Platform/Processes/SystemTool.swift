import Glibc

/// A tool that ended with a failure, and what it said.
package struct ToolFailure: Error, Sendable, CustomStringConvertible {
    package let tool: String
    package let status: ProcessStatus
    package let message: String

    package var description: String {
        message.isEmpty ? "\(tool) failed (\(status))" : "\(tool) failed (\(status)): \(message)"
    }
}

/// Tools of the system, found where systems keep them and not through the caller's PATH.
package enum SystemTool {
    static let directories = ["/usr/sbin", "/sbin", "/usr/bin", "/bin"]

    /// - Throws: ENOENT naming the tool when it is not installed.
    package static func find(_ name: String) throws(SystemError) -> String {
        for directory in directories {
            let path = FilePath.join(directory, name)
            if access(path, X_OK) == 0 { return path }
        }
        throw SystemError(call: "find the program", errno: ENOENT, path: name)
    }

    /// Runs a tool to its end.
    /// - Throws: `ToolFailure` when it does not end with 0, `SystemError` when it cannot be run.
    @discardableResult
    package static func run(_ name: String, _ arguments: [String], timeoutSeconds: Double = 120) throws -> String {
        let request = SpawnRequest(
            executable: try find(name),
            arguments: arguments,
            environment: ["PATH": directories.joined(separator: ":"), "LC_ALL": "C"],
            workingDirectory: "/",
            newSession: true
        )
        let result = try ProcessSpawn.run(request, timeoutSeconds: timeoutSeconds)
        guard result.status.isSuccess else {
            let said = result.errorText.isEmpty ? result.outputText : result.errorText
            let message = said.split(separator: "\n").suffix(5).joined(separator: "; ")
            throw ToolFailure(tool: name, status: result.status, message: message)
        }
        return result.outputText
    }
}
