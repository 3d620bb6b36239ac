import Foundation

extension InvariantsChecker {
    /// After `container purge`, and after an init that failed, nothing may be left anywhere.
    package func leftovers() throws -> [String] {
        var found: [String] = []
        if FileManager.default.fileExists(atPath: archive.path) { found.append("\(archive.path) still exists") }
        let processes = ProcessTable.living(in: archive.home)
        found += processes.map { "still running: \($0)" }
        found += MountedFilesystems.points(under: archive.home).map { "still mounted: \($0)" }
        found += MountedFilesystems.loopImages(under: archive.home).map { "still on a loop device: \($0)" }
        if archive.upstream.postmaster != nil {
            found += try archive.upstream.slots().map { "slot still on the upstream: \($0)" }
        }
        let remains = try TestCommand.asCaller("find", [archive.home, "-mindepth", "1"]).run().lines
        found += remains.map { "left behind: \($0)" }
        let jobs = try archive.crontab.text()?.split(separator: "\n").filter { $0.contains(archive.path + ": ") } ?? []
        found += jobs.map { "still in the crontab: \($0)" }
        return found
    }
}

/// What a directory looked like: every path in it with type, size, owner and times of change.
///
/// Access times are left out, reading is allowed.
package struct DirectoryFingerprint: Equatable, Sendable {
    package let entries: [String]

    package init(of path: String) throws {
        let format = "%p %y %i %s %U:%G %m %T@ %C@ %l\\n"
        entries = try TestCommand.asCaller("find", [path, "-printf", format]).succeed().lines.sorted()
    }

    package func changes(since earlier: DirectoryFingerprint) -> [String] {
        let before = Set(earlier.entries)
        let after = Set(entries)
        return before.subtracting(after).sorted().map { "was: \($0)" }
            + after.subtracting(before).sorted().map { "is: \($0)" }
    }
}

extension TestPostgres {
    /// Stops the server and checks every page of it: an upstream that was written to by others shows here.
    package func verifyUntouched() throws -> [String] {
        try stop()
        let result = try TestCommand("\(bin)/pg_checksums", ["--check", "-D", data]).run(deadline: 120)
        var wrong = result.status == 0 ? [] : ["upstream's pages are damaged: \(result)"]
        if TestEnvironment.isRoot {
            let foreign = [data, "!", "-user", TestEnvironment.owner.name, "-print"]
            wrong += try TestCommand.asCaller("find", foreign).run().lines.map { "in the upstream, not its own: \($0)" }
        }
        return wrong
    }
}
