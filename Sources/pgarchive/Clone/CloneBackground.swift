import ArchiveEngine
import ArchiveModel
import ArgumentParser
import Glibc
import Platform

/// A start that is not waited for to its end: another process does it, since a clone's recovery needs one until it
/// takes writes.
enum CloneBackground {
    /// Runs a verb of `clone` on its own, and waits for it as long as told.
    ///
    /// - Throws: its exit code when it fails meanwhile, with all that it said.
    static func run(
        _ words: [String],
        of record: CloneRecord,
        in container: Container,
        _ wait: WaitOptions,
        _ global: GlobalOptions
    ) throws {
        // It may outlive this process, and what reads its output: what it says goes to files without a name.
        let output = try Descriptor.memory("output")
        let error = try Descriptor.memory("error")
        let process = try ProcessSpawn.spawn(
            SpawnRequest(
                executable: try ThisProgram.path(),
                arguments: ["clone"] + words + [record.name, "--container", container.paths.root]
                    + ["--output", global.output.rawValue] + (global.quiet ? ["--quiet"] : [])
                    + (global.verbose ? ["--verbose"] : []),
                environment: Handover.environment,
                workingDirectory: "/",
                standardOutput: .descriptor(output.raw),
                standardError: .descriptor(error.raw),
                newSession: true
            )
        )
        let goesOn = "'pgarchive clone status \(record.name)' shows how far it is"
        if wait.noWait {
            let result = CloneResult(clone: record)
            return try global.render.done(result, "clone '\(record.name)' is being started; \(goesOn)")
        }
        guard let status = process.wait(timeoutSeconds: wait.timeout ?? 0) else {
            throw ArchiveError(
                .failed,
                "the time is over: clone '\(record.name)' is still starting (process \(process.pid))",
                hint: "it goes on; \(goesOn)"
            )
        }
        StandardError.write(try text(error))
        try StandardOutput.write(try text(output))
        guard case .exited(let code) = status else {
            throw ArchiveError(
                .failed,
                "what started clone '\(record.name)' was ended by \(status)",
                hint: "'pgarchive clone start \(record.name)' takes over from there"
            )
        }
        if code != 0 { throw ExitCode(code) }
    }

    /// All that was written to a file.
    private static func text(_ file: borrowing Descriptor) throws -> String {
        String(decoding: try file.bytes(count: Int(clamping: file.size())), as: UTF8.self)
    }
}
