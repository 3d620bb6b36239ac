package import Foundation

/// A directory for one test, with a path short enough for Unix sockets below it, owned by the containers' owner.
package final class TestDirectory: Sendable {
    package let path: String

    /// Makes `/tmp/pgt-XXXXXX`.
    package init() throws {
        var template = Array("/tmp/pgt-XXXXXX".utf8CString)
        guard mkdtemp(&template) != nil else { throw TestFailure("cannot make a directory in /tmp: errno \(errno)") }
        path = String(decoding: template.dropLast().map { UInt8(bitPattern: $0) }, as: UTF8.self)
        chmod(path, 0o755)
        try Self.giveToOwner(path)
    }

    /// Runs a test's body with a directory that is removed afterwards, and kept when the test has failed.
    package static func with<Result>(_ body: (TestDirectory) throws -> Result) throws -> Result {
        let directory = try TestDirectory()
        do {
            let result = try body(directory)
            directory.finish(failed: KeptEvidence.currentTestFailed)
            return result
        } catch {
            directory.finish(failed: true)
            throw error
        }
    }

    /// Makes a subdirectory that belongs to the owner.
    package func subdirectory(_ name: String, mode: UInt32 = 0o700) throws -> String {
        let full = "\(path)/\(name)"
        try FileManager.default.createDirectory(atPath: full, withIntermediateDirectories: true)
        chmod(full, mode)
        try Self.giveToOwner(full)
        return full
    }

    package func finish(failed: Bool) {
        if failed {
            KeptEvidence.markFailure()
            FileHandle.standardError.write(Data("kept for a look: \(path)\n".utf8))
        } else {
            remove()
        }
    }

    /// Removes everything below, other filesystems and read-only parts excepted.
    package func remove() {
        _ = try? TestCommand.asCaller("/bin/rm", ["-rf", "--one-file-system", path]).run()
    }

    package static func giveToOwner(_ path: String) throws {
        guard TestEnvironment.isRoot else { return }
        guard chown(path, TestEnvironment.owner.uid, TestEnvironment.owner.gid) == 0 else {
            throw TestFailure("cannot give \(path) to \(TestEnvironment.owner.name): errno \(errno)")
        }
    }
}

extension TestCommand {
    /// A command as the user of the test run, for mounting and cleaning up.
    package static func asCaller(_ executable: String, _ arguments: [String]) -> TestCommand {
        var command = TestCommand(executable, arguments)
        command.user = .caller
        return command
    }
}

/// Files that tests spoil on purpose.
package enum SpoiltFile {
    /// Overwrites a file in place, so that owner and mode stay as they are; makes one that belongs to the owner.
    package static func write(_ bytes: Data, to path: String) throws {
        if !FileManager.default.fileExists(atPath: path) { try TestCommand("/usr/bin/touch", [path]).succeed() }
        let handle = try FileHandle(forWritingTo: URL(fileURLWithPath: path))
        try handle.truncate(atOffset: 0)
        try handle.write(contentsOf: bytes)
        try handle.close()
    }

    package static func write(_ text: String, to path: String) throws {
        try write(Data(text.utf8), to: path)
    }
}
