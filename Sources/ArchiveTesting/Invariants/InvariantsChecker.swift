import Foundation

/// What must hold after each end-to-end test, whatever it did.
///
/// Each check returns sentences about what is wrong.
package struct InvariantsChecker {
    package let archive: TestArchive

    package init(_ archive: TestArchive) {
        self.archive = archive
    }

    /// All that must hold while the container exists.
    package func violations() throws -> [String] {
        var found = try archivedBytesDiffer()
        found += try namesInArchive()
        found += try linksThatLeave()
        found += try halfMade()
        found += try openToOthers()
        return found
    }

    /// Completed segments must equal, byte by byte, what the upstream's own archive_command copied.
    package func archivedBytesDiffer() throws -> [String] {
        var wrong: [String] = []
        var compared = 0
        // The upstream may be behind with its copies, but makes them in their order.
        let copies = try FileManager.default.contentsOfDirectory(atPath: archive.upstream.copies)
        let copied = Dictionary(grouping: copies.filter { $0.count == 24 }) { $0.prefix(8) }
        for name in try FileManager.default.contentsOfDirectory(atPath: archive.walArchive).sorted() {
            let segment = name.hasSuffix(".zst") ? String(name.dropLast(4)) : name
            guard segment.count == 24 || segment.hasSuffix(".history") else { continue }
            let copy = "\(archive.upstream.copies)/\(segment)"
            guard let expected = FileManager.default.contents(atPath: copy) else {
                let others = segment.count == 24 ? copied[segment.prefix(8)] ?? [] : []
                if others.contains(where: { $0 < segment }), others.contains(where: { $0 > segment }) {
                    wrong.append("the upstream has copies from before and after \(name), and none of it")
                }
                continue
            }
            // A file that is compressed meanwhile is found under its other name in the next listing.
            guard var stored = FileManager.default.contents(atPath: "\(archive.walArchive)/\(name)") else { continue }
            if name.hasSuffix(".zst") { stored = try Zstandard.decompressed(stored, capacity: 1 << 30) }
            compared += 1
            if stored != expected { wrong.append("\(name) differs from the upstream's own copy") }
        }
        if compared == 0 { wrong.append("no archived segment could be compared with the upstream's copies") }
        return wrong
    }

    /// The archive holds nothing but WAL under WAL's names, and no hole between the first and the last segment.
    package func namesInArchive() throws -> [String] {
        var wrong: [String] = []
        let names = try FileManager.default.contentsOfDirectory(atPath: archive.walArchive).sorted()
        for name in names where !Self.isArchiveName(name) { wrong.append("foreign file in the WAL archive: \(name)") }
        let timelines = Dictionary(grouping: archive.archivedSegments()) { $0.prefix(8) }
        let perLog = UInt64(4096 / archive.upstream.options.segmentMegabytes)
        for (timeline, segments) in timelines {
            let numbers = segments.compactMap { name -> UInt64? in
                guard let log = UInt64(name.dropFirst(8).prefix(8), radix: 16),
                    let low = UInt64(name.suffix(8), radix: 16)
                else { return nil }
                return log * perLog + low
            }
            for (before, after) in zip(numbers, numbers.dropFirst()) where after != before + 1 {
                wrong.append("timeline \(timeline): \(after - before - 1) segments missing after number \(before)")
            }
        }
        return wrong
    }

    /// What was set aside counts as foreign: no test on real servers makes a disk fail.
    private static func isArchiveName(_ name: String) -> Bool {
        if name == "system_identifier" { return true }
        if name.hasSuffix(".history") { return name.count == 16 }
        let stem = name.prefix(24)
        guard stem.count == 24, stem.allSatisfy({ $0.isHexDigit && !$0.isLowercase }) else { return false }
        let rest = name.dropFirst(24)
        return rest.isEmpty || rest == ".zst" || rest == ".partial"
    }

    /// No link inside the container leads out of it: a server that follows one works on somebody else's files.
    package func linksThatLeave() throws -> [String] {
        let root = try Self.realPath(archive.path)
        let list = try TestCommand.asCaller("find", [root, "-type", "l", "-printf", "%p\\t%l\\n"]).run()
        return list.lines.compactMap { line in
            let parts = line.split(separator: "\t", maxSplits: 1).map(String.init)
            guard parts.count == 2 else { return nil }
            let target =
                parts[1].hasPrefix("/") ? parts[1] : (parts[0] as NSString).deletingLastPathComponent + "/" + parts[1]
            let normal = (target as NSString).standardizingPath
            return normal.hasPrefix(root + "/") ? nil : "link leaves the container: \(parts[0]) → \(parts[1])"
        }
    }

    /// Nothing half-made lies about: temporary files, snapshots without a record, clones without one.
    package func halfMade() throws -> [String] {
        let pattern = ["(", "-name", "*.tmp", "-o", "-name", "*.tmp-*", "-o", "-name", ".tmp*", ")"]
        let search = [archive.path, "(", "-name", "data", "-prune", ")", "-o"] + pattern + ["-print"]
        // What a process is writing at this moment is gone a moment later.
        var wrong: [String] = []
        let found = try TestCommand.asCaller("find", search).run().lines
        for path in found {
            let isGone = { !FileManager.default.fileExists(atPath: path) }
            guard (try? eventually(within: 5, "\(path) is gone", condition: isGone)) == nil else { continue }
            wrong.append("half-made file: \(path)")
        }
        for (folder, record) in [("snapshots", "snapshot.json"), ("clones", "clone.json")] {
            let parent = "\(archive.path)/\(folder)"
            for name in (try? FileManager.default.contentsOfDirectory(atPath: parent)) ?? []
            where !FileManager.default.fileExists(atPath: "\(parent)/\(name)/\(record)") {
                wrong.append("half-made: \(folder)/\(name) has no \(record)")
            }
            for name in (try? FileManager.default.contentsOfDirectory(atPath: parent)) ?? []
            where FileManager.default.fileExists(atPath: "\(parent)/\(name)/making") {
                wrong.append("half-made: \(folder)/\(name) is still being made")
            }
        }
        return wrong
    }

    /// Nobody but the owner gets into the container, whatever the umask of the shell was.
    package func openToOthers() throws -> [String] {
        var wrong: [String] = []
        var information = stat()
        if stat(archive.path, &information) == 0, information.st_mode & 0o077 != 0 {
            wrong.append("the container's directory has mode \(String(information.st_mode & 0o7777, radix: 8))")
        }
        let search = [archive.path, "!", "-type", "l", "!", "-type", "s", "-perm", "/022", "-print"]
        wrong += try TestCommand.asCaller("find", search).run().lines.map { "writable by others: \($0)" }
        if TestEnvironment.isRoot {
            let foreign = [archive.path, "!", "-user", TestEnvironment.owner.name, "-print"]
            // find takes a file for root's that vanishes while it looks.
            wrong += try TestCommand.asCaller("find", foreign).run().lines
                .filter { lstat($0, &information) == 0 && information.st_uid != TestEnvironment.owner.uid }
                .map { "not the owner's: \($0)" }
        }
        return wrong
    }

    static func realPath(_ path: String) throws -> String {
        guard let resolved = realpath(path, nil) else { throw TestFailure("no such path: \(path)") }
        defer { free(resolved) }
        return String(cString: resolved)
    }
}
