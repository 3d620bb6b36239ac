import ArchiveModel
import Glibc
import Platform
import WALFormat
import WALStore

/// Adopts the WAL of an archive that something else has made: `archive_command`, pg_receivewal, another tool's.
///
/// Each file is checked as if a server archived it now; what is here already under its name stays, and must be equal.
/// Killed anywhere it may be repeated.
package struct ArchiveImport: Sendable {
    let container: Container
    let directory: String
    let progress: Progress
    let interruption: Interruption

    package init(_ container: Container, from directory: String, progress: Progress, interruption: Interruption) {
        self.container = container
        self.directory = FileTree.absolute(directory)
        self.progress = progress
        self.interruption = interruption
    }

    package struct Outcome: Codable, Sendable {
        package struct Refused: Codable, Sendable {
            package var file: String
            package var reason: String
        }

        package var adopted: [String] = []
        /// Files that the archive has with the same content.
        package var present = 0
        package var bytes: UInt64 = 0
        package var refused: [Refused] = []
        /// Names that are no WAL's.
        package var ignored: [String] = []
    }

    /// Adopts what the directory has; `dryRun` only says what it would look at.
    package func run(dryRun: Bool = false) throws -> Outcome {
        let files = try plan()
        var outcome = Outcome()
        outcome.ignored = files.ignored
        outcome.refused = files.refused
        guard !dryRun else {
            outcome.adopted = try files.wanted.filter { try !isHere($0.known) }.map(\.file)
            outcome.present = files.wanted.count - outcome.adopted.count
            return outcome
        }
        let work = container.paths.file(.importWork, of: getpid())
        try FileTree.makeDirectory(work, mode: 0o700, parents: true)
        defer { try? FileTree.removeTree(work) }
        try container.markArchive()
        progress.step("adopting \(files.wanted.count) files from '\(directory)'")
        let total = UInt64(files.wanted.count) &* container.segmentSize.bytes
        for (index, wanted) in files.wanted.enumerated() {
            try interruption.check()
            try adopt(wanted, work: work, into: &outcome)
            progress.report(.bytes(done: UInt64(index + 1) &* container.segmentSize.bytes, total: total))
        }
        return outcome
    }

    private struct Wanted {
        let file: String
        let known: ArchiveFileName
    }

    /// Histories first, then by name: a segment's timeline is checked by its history.
    ///
    /// Only the past is adopted. A history says nothing of the cluster that it is of, and one of a newer timeline, of a
    /// copy that was promoted once, would lead the standby and the clones away from the upstream.
    private func plan() throws -> (wanted: [Wanted], ignored: [String], refused: [Outcome.Refused]) {
        guard FileTree.isDirectory(directory) else {
            throw ArchiveError(
                .notFound,
                "there is no directory '\(directory)'",
                hint: "give the old archive's directory"
            )
        }
        let real = try FileTree.resolved(directory)
        guard try real != FileTree.resolved(container.paths.walArchive) else {
            throw ArchiveError(.usage, "'\(directory)' is this archive itself", hint: "give another directory")
        }
        var histories: [Wanted] = []
        var others: [Wanted] = []
        var ignored: [String] = []
        var refused: [Outcome.Refused] = []
        let newest = try newestTimeline()
        for file in try FileTree.list(directory) where !WALDirectory.isOurs(file) {
            if let timeline = ArchiveFileName(file)?.timeline, timeline > newest {
                let reason = "of timeline \(timeline), the container's newest is \(newest): only the past is adopted"
                refused.append(Outcome.Refused(file: file, reason: reason))
                continue
            }
            switch ArchiveFileName(file) {
            case .history(let timeline): histories.append(Wanted(file: file, known: .history(timeline)))
            case .some(let known) where known.form?.isComplete ?? true: others.append(Wanted(file: file, known: known))
            default: ignored.append(file)
            }
        }
        return (histories + others, ignored, refused)
    }

    /// Of the archive; where it is empty, of the standby.
    private func newestTimeline() throws -> TimelineID {
        let known = try FileTree.list(container.paths.walArchive).compactMap { ArchiveFileName($0)?.timeline }.max()
        if let known { return known }
        return try ControlFileReader.read(container.paths.standbyTree).checkpointTimeline
    }

    private func isHere(_ known: ArchiveFileName) throws -> Bool {
        guard let segment = known.segment else { return FileTree.exists("\(container.paths.walArchive)/\(known)") }
        return try container.walDirectory.locate(segment)?.form.isComplete == true
    }

    private func adopt(_ wanted: Wanted, work: String, into outcome: inout Outcome) throws {
        do {
            let source = try plainSource(wanted, work: work)
            defer { if source.isTemporary { unlink(source.path) } }
            try FaultPoint.pass("import.unpacked")
            let push = ArchivePush(
                PushRequest(
                    archive: container.paths.walArchive,
                    systemIdentifier: container.identity.systemIdentifier,
                    requiresMark: true,
                    segmentSize: container.segmentSize,
                    source: source.path
                )
            )
            switch try push.run(report: { progress.note($0) }) {
            case .present: outcome.present += 1
            case .stored:
                try FaultPoint.pass("import.stored")
                outcome.adopted.append(wanted.file)
                outcome.bytes &+= UInt64(max(0, (try? FileTree.size("\(directory)/\(wanted.file)")) ?? 0))
                // An archive that was compressed does not become many times as large.
                if let segment = wanted.known.segment, source.isTemporary {
                    try container.walDirectory.compress(segment)
                }
            }
        } catch let failure as PushFailure {
            // All others would end the same way.
            guard !failure.isOfArchive else { throw ArchiveError(.failed, failure.text, hint: failure.hint) }
            outcome.refused.append(Outcome.Refused(file: wanted.file, reason: failure.text))
        } catch let error as StoreError {
            outcome.refused.append(Outcome.Refused(file: wanted.file, reason: "\(error)"))
        } catch let error as SystemError where error.path?.hasPrefix("\(directory)/") ?? false {
            outcome.refused.append(Outcome.Refused(file: wanted.file, reason: "\(error)"))
        }
    }

    /// The file, or what a compressed one holds, under its plain name.
    private func plainSource(_ wanted: Wanted, work: String) throws -> (path: String, isTemporary: Bool) {
        let path = "\(directory)/\(wanted.file)"
        guard let segment = wanted.known.segment, let form = wanted.known.form, form != .plain else {
            return (path, false)
        }
        let source = WALDirectory(directory, segmentSize: container.segmentSize)
        let plain = "\(work)/\(segment)"
        try FileTree.removeFile(plain)
        try source.unpack(StoredSegment(name: segment, form: form, bytes: 0), to: plain)
        return (plain, true)
    }
}
