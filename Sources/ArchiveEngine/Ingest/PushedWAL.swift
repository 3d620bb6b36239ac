import ArchiveModel
import Platform
import PostgresLink
package import WALFormat
import WALStore

/// WAL that the upstream's archive_command brings: what to set there, and how far it has come.
package struct PushedWAL: Sendable {
    /// The end of the last segment of the newest timeline; nil while there is none.
    package private(set) var end: LSN?
    package private(set) var timeline: TimelineID?
    /// Files that were refused since their name had other content: `NAME.conflict-1`.
    package private(set) var conflicts: [String]
    /// Why two servers seem to archive here.
    private let parting: String?

    /// Looks at the names in the archive.
    package init(_ container: Container) throws {
        let names = try FileTree.list(container.paths.walArchive)
        var newest: TimelineID?
        var last: SegmentName?
        for case let name? in names.map({ ArchiveFileName($0) }) {
            if case .history(let timeline) = name { newest = max(newest ?? timeline, timeline) }
            guard let segment = name.segment, name.form?.isComplete == true else { continue }
            newest = max(newest ?? segment.timeline, segment.timeline)
            // Names of one timeline sort as their addresses.
            if segment.timeline > last?.timeline ?? TimelineID(0)
                || segment.timeline == last?.timeline
                    && segment.description > last?.description ?? ""
            {
                last = segment
            }
        }
        end = last?.start(size: container.segmentSize)?.advanced(by: container.segmentSize.bytes)
        timeline = last?.timeline ?? newest
        conflicts = names.filter { $0.hasSuffix(".conflict-1") }
        parting = try newest.flatMap { try Self.parting(container.walDirectory, names, newest: $0) }
    }

    /// After a failover nothing more comes of the timeline that was left.
    ///
    /// When it does, a copy of the upstream was promoted, and archives here beside it: its history looks as any other.
    private static func parting(_ archive: WALDirectory, _ names: [String], newest: TimelineID) throws -> String? {
        guard let parent = (try? archive.history(newest))??.parent else { return nil }
        let segments = names.compactMap { SegmentName($0) }
        // Behind the fork; plain ones alone, since compression makes new files.
        let left = segments.filter { name in
            name.timeline == parent.timeline && name.start(size: archive.segmentSize) ?? .invalid >= parent.end
        }
        let child = segments.filter { $0.timeline == newest }.map(\.description).max() ?? newest.historyFileName
        guard let last = left.map(\.description).max(),
            let came = try? FileTree.status(FilePath.join(archive.path, last)).modified,
            let gone = try? FileTree.status(FilePath.join(archive.path, child)).modified, came > gone
        else { return nil }
        let fork = "timeline \(newest) had left timeline \(parent.timeline) at \(parent.end)"
        return "\(last) came after \(fork): two servers archive here. The standby and the clones follow timeline "
            + "\(newest); if that is a copy's, move its files away"
    }

    /// What stands still because of it; nil while all is well.
    package var alarm: String? {
        guard let first = conflicts.first else { return parting }
        let name = first.dropLast(".conflict-1".count)
        return "\(name) was delivered a second time with other content, which is refused and kept as \(first)"
            + (conflicts.count > 1 ? "; \(conflicts.count - 1) more" : "")
    }

    /// The line for the upstream's postgresql.conf; nil where WAL is only received.
    package static func archiveCommand(_ container: Container) throws -> String? {
        guard container.settings.walIngest.isPushed else { return nil }
        let command = ShellWord.archiveCommand([
            try ThisProgram.walHelper(), "push",
            "--archive", container.paths.walArchive,
            "--system-identifier", String(container.identity.systemIdentifier),
            "--segment-size", String(container.segmentSize.bytes),
        ])
        return "archive_command = \(ServerConfiguration.quoted(command))"
    }

    /// - Throws: a refusal where WAL is only pushed, so that there is no receiver to start.
    package static func requireReceiver(_ container: Container) throws {
        guard !container.settings.walIngest.streams, let command = try archiveCommand(container) else { return }
        throw ArchiveError(
            .refused,
            "wal.ingest is \"push\": nothing is received, the upstream's archive_command brings the WAL",
            hint: "set on the upstream, with archive_mode = on: \(command); or wal.ingest = \"both\" in "
                + container.paths.settings
        )
    }
}

extension Container {
    /// The parts that are to run.
    package var parts: [Part] { Part.allCases.filter { $0 != .walArchive || settings.walIngest.streams } }
}

extension Container {
    /// Says in the WAL archive whose it is, for push; containers of older versions do not have that.
    ///
    /// Where no WAL of its cluster is, nothing is said: it may not be mounted.
    func markArchive() throws {
        guard try ArchiveMark.read(paths.walArchive) == nil,
            try ArchiveFacts.read(paths.walArchive).systemIdentifier == identity.systemIdentifier
        else { return }
        try ArchiveMark.write(paths.walArchive, systemIdentifier: identity.systemIdentifier)
    }
}
