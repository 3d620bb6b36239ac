import ArchiveModel
import Glibc
import Platform
import PostgresLink

/// Runs PostgreSQL's programs for an undo; an interruption ends them.
struct UndoTool {
    let installation: PostgresInstallation
    /// A directory of its own, for what the programs say.
    let work: String
    let interruption: Interruption?

    /// What it said that is no error.
    struct Words {
        var output = ""
        var error = ""
    }

    /// - Parameters:
    ///   - output: where its output goes; nil to have it returned.
    ///   - environment: all of it.
    func run(
        _ tool: String,
        _ arguments: [String],
        environment: [String: String],
        output: Int32? = nil
    ) throws -> Words {
        let said = FilePath.join(work, "output")
        let complained = FilePath.join(work, "error")
        for file in [said, complained] { try FileTree.removeFile(file) }
        let process = try ProcessSpawn.spawn(
            SpawnRequest(
                executable: installation.tool(tool),
                arguments: arguments,
                environment: environment,
                workingDirectory: "/",
                standardOutput: output.map { .descriptor($0) } ?? .file(said),
                standardError: .file(complained),
                // A key on the terminal is ours to deal with.
                newSession: true,
                // This thread stays here until it has ended.
                parentDeathSignal: SIGKILL,
                umask: 0o077
            )
        )
        while process.poll() == nil {
            let ready = try Poll.wait([
                PollItem(process.pidDescriptor), PollItem(interruption?.descriptor ?? -1),
            ])
            guard !ready[1].isEmpty else { continue }
            // Not SIGTERM: psql and pg_dump cancel what the server does for them.
            process.signalGroup(SIGINT)
            if process.wait(timeoutSeconds: 5) == nil { process.signal(SIGKILL) }
            // It may have done its work all the same.
            if !process.wait().isSuccess { try interruption?.check() }
        }
        let status = process.wait()
        let words = Words(output: try text(said), error: try text(complained))
        guard status.isSuccess else {
            throw ToolTrouble(tool: tool, status: status, lines: words.error.split(separator: "\n").map(String.init))
        }
        return words
    }

    private func text(_ path: String) throws -> String {
        guard FileTree.exists(path) else { return "" }
        let file = try Descriptor.open(path, O_RDONLY)
        // Its end says how it ended.
        let size = try file.size()
        let wanted = min(size, 256 << 10)
        return String(decoding: try file.bytes(at: size - wanted, count: Int(wanted)), as: UTF8.self)
    }
}

/// A program that failed, with what it said.
struct ToolTrouble: Error {
    let tool: String
    let status: ProcessStatus
    let lines: [String]
}
