import ArchiveModel
import Glibc
import Platform
import PostgresLink
import WALFormat
import WALStore

/// A copy of the upstream's data directory, made while its server was shut down: a container begins with it instead of
/// a base backup, and the archive with the WAL in it.
package struct ColdCopy: Sendable {
    package let directory: String
    /// Where the copies of the tablespaces are, by oid; of the others where the directory's own links lead.
    package let tablespaces: [UInt32: String]

    package init(directory: String, tablespaces: [UInt32: String] = [:]) {
        self.directory = FileTree.absolute(directory)
        self.tablespaces = tablespaces.mapValues(FileTree.absolute)
    }

    /// What was found to be fit.
    struct Checked: Sendable {
        let redo: LSN
        let timeline: TimelineID
        let tablespaces: [UInt32: String]
    }

    /// Refuses what is not a whole copy of this upstream, taken while it was shut down.
    func check(_ facts: UpstreamFacts) throws -> Checked {
        guard let control = try ControlFileReader.read(outside: directory) else {
            throw refusal("it has no global/pg_control", hint: "give a whole data directory")
        }
        guard control.systemIdentifier == facts.systemIdentifier else {
            throw refusal(
                "it is of another cluster: its system identifier is \(control.systemIdentifier), the upstream's is "
                    + "\(facts.systemIdentifier)",
                hint: "give the copy of this upstream"
            )
        }
        let isUsed =
            FileTree.exists("\(directory)/postmaster.pid") || PostgresServer.find(dataDirectory: directory) != nil
        guard !isUsed, control.state == .shutDown, !FileTree.exists("\(directory)/backup_label") else {
            throw refusal(
                "it was not copied from a server that was shut down cleanly (pg_control says: \(control.state))",
                hint: "stop the server, copy its data directory, start it again; or leave --from-directory out"
            )
        }
        guard control.checkpointTimeline == facts.timeline else {
            throw refusal(
                "it is of timeline \(control.checkpointTimeline), and the upstream is on \(facts.timeline)",
                hint: "make a new copy, or leave --from-directory out"
            )
        }
        return Checked(
            redo: control.checkpointRedo,
            timeline: control.checkpointTimeline,
            tablespaces: try places(facts)
        )
    }

    private func places(_ facts: UpstreamFacts) throws -> [UInt32: String] {
        let links = "\(directory)/pg_tblspc"
        let oids = FileTree.exists(links) ? try FileTree.list(links).compactMap { UInt32($0) } : []
        if let unknown = tablespaces.keys.sorted().first(where: { !oids.contains($0) }) {
            throw refusal("it has no tablespace \(unknown)", hint: "leave --tablespace \(unknown)=… out")
        }
        var places: [UInt32: String] = [:]
        for oid in oids {
            let place = try tablespaces[oid] ?? FileTree.resolved("\(links)/\(oid)")
            if tablespaces[oid] == nil, let live = facts.tablespaces.first(where: { $0.oid == oid }),
                (try? FileTree.resolved(live.location)) ?? live.location == place
            {
                throw refusal(
                    "its tablespace '\(live.name)' is a link to the upstream's own files in \(live.location)",
                    hint: "copy that directory too, with the server shut down, and say --tablespace \(oid)=COPY"
                )
            }
            guard FileTree.isDirectory(place) else {
                throw refusal("tablespace \(oid) is not in '\(place)'", hint: "say --tablespace \(oid)=DIR")
            }
            places[oid] = place
        }
        return places
    }

    private func refusal(_ what: String, hint: String) -> ArchiveError {
        ArchiveError(.refused, "'\(directory)' cannot be begun with: \(what)", hint: hint)
    }

    /// Begins the archive with the copy's WAL, so that the receiver goes on from its end.
    ///
    /// - Returns: the segments.
    func seedArchive(_ container: Container, _ checked: Checked) throws -> [SegmentName] {
        let unarchived = UnarchivedWAL(
            from: "\(directory)/pg_wal",
            into: container.walDirectory,
            systemIdentifier: container.identity.systemIdentifier
        )
        do {
            let found = try unarchived.look(timeline: checked.timeline, at: checked.redo)
            guard !found.isEmpty else { throw UnarchivedWAL.Refusal.differs(checked.redo) }
            return try unarchived.take(found)
        } catch is UnarchivedWAL.Refusal {
            throw refusal(
                "its pg_wal does not hold the record of its last checkpoint, at \(checked.redo)",
                hint: "copy pg_wal too, wherever a link of that name leads"
            )
        }
    }

    /// Copies it into the standby's tree.
    ///
    /// - Parameter segments: what the archive was begun with. The standby gets them too: until the last of them is
    ///   complete in the archive, it could not read its own checkpoint.
    func copy(
        to tree: ServerTree,
        _ checked: Checked,
        segments: [SegmentName],
        progress: Progress,
        interruption: Interruption
    ) throws {
        progress.step("copying '\(directory)'")
        var total = try FileTree.byteCount(of: directory)
        for place in checked.tablespaces.values { total &+= try FileTree.byteCount(of: place) }
        let counter = Counter(total: total, progress: progress)
        var options = CopyOptions(interrupt: interruption.descriptor)
        try FileTree.makeDirectory(tree.data, mode: 0o700)
        for (oid, place) in checked.tablespaces {
            try FileTree.makeDirectory(tree.tablespace(oid), mode: 0o700)
            try FileTree.copyContents(of: place, into: tree.tablespace(oid), options: options, copied: counter.add)
        }
        options.emptyDirectories = ["pg_wal", "pg_tblspc"]
        try FileTree.copyContents(of: directory, into: tree.data, options: options, copied: counter.add)
        // Perhaps a link, which was copied as one.
        if FileTree.isSymbolicLink(tree.writeAheadLog) { try FileTree.removeFile(tree.writeAheadLog) }
        try FileTree.makeDirectory("\(tree.writeAheadLog)/archive_status", mode: 0o700, parents: true)
        for name in segments {
            try DurableFile.copy("\(directory)/pg_wal/\(name)", to: "\(tree.writeAheadLog)/\(name)")
        }
        for oid in checked.tablespaces.keys {
            try FileTree.makeLink("\(tree.tablespaceLinks)/\(oid)", to: "../../tablespaces/\(oid)")
        }
        try CloneTree.removeRemains(data: tree.data)
    }

    private final class Counter {
        private var done: UInt64 = 0
        private let total: UInt64
        private let progress: Progress

        init(total: UInt64, progress: Progress) {
            self.total = total
            self.progress = progress
        }

        func add(_ bytes: UInt64) {
            done &+= bytes
            progress.report(.bytes(done: min(done, total), total: total))
        }
    }
}
