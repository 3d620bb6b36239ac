package import ArchiveModel
import Glibc
import Platform
import PostgresLink
import WALFormat

/// The directories that a restore is to fill: what may be in them, and the mark that says whose they are meanwhile.
///
/// They are empty before, or hold what an interrupted restore left: its mark is there from beginning to end.
package struct RestorePlace: Sendable {
    /// The data directory to be, absolute.
    package let data: String
    /// Where each tablespace goes, by its oid.
    package let tablespaces: [UInt32: String]

    /// - Parameters:
    ///   - mapping: a directory for some of the tablespaces; others go beside the data directory.
    ///   - oids: the tablespaces that the snapshot has.
    /// - Throws: `usage` for a mapping of a tablespace that there is not.
    package init(data: String, mapping: [UInt32: String], oids: [UInt32]) throws {
        self.data = FileTree.absolute(data)
        if let unknown = mapping.keys.sorted().first(where: { !oids.contains($0) }) {
            let known = oids.isEmpty ? "there are none" : "there are \(oids.map(String.init).joined(separator: ", "))"
            throw ArchiveError(
                .usage,
                "there is no tablespace \(unknown) in the snapshot",
                hint: "tablespaces are named by their oid: \(known)"
            )
        }
        var places: [UInt32: String] = [:]
        for oid in oids { places[oid] = mapping[oid].map(FileTree.absolute) ?? "\(self.data).tablespaces/\(oid)" }
        self.tablespaces = places
    }

    /// Removed at the end: the mark, and what only recovery needs.
    package var work: String { "\(data)/pgarchive.restoring" }
    var markPath: String { "\(work)/restore.json" }
    var log: String { "\(work)/log" }
    var configuration: String { "\(work)/postgresql.conf" }
    var hostBasedAuthentication: String { "\(work)/pg_hba.conf" }
    var identMap: String { "\(work)/pg_ident.conf" }
    var endFile: String { "\(work)/recovery.end" }

    /// The directories that are filled, the data directory first.
    package var all: [String] { [data] + tablespaces.keys.sorted().compactMap { tablespaces[$0] } }

    struct Mark: Codable {
        /// The tablespaces' directories hold it too, while they are this restore's.
        var id: String
        var process: ProcessIdentity?
        var plan: RestorePlan
        var tablespaces: [String]
    }

    /// Refuses what a restore must not touch, before any work.
    package func check(_ container: Container) throws {
        let mark = try JSONFile.read(Mark.self, from: markPath)
        if let process = mark?.process, process.isAlive, process.pid != getpid() {
            throw Self.isTaken(data, by: process)
        }
        for directory in all {
            if isInside(directory, container.paths.root) {
                throw ArchiveError(
                    .refused,
                    "'\(directory)' lies inside the container",
                    hint: "restore to another directory; for a server inside, 'pgarchive clone create' makes one"
                )
            }
            guard FileTree.exists(directory) else { continue }
            guard FileTree.isDirectory(directory) else {
                throw ArchiveError(.refused, "'\(directory)' is not a directory", hint: "give a directory, or none yet")
            }
            let isOurs = directory == data ? mark != nil : isTablespace(directory, of: mark)
            if !isOurs { try requireEmpty(directory) }
        }
    }

    static func isTaken(_ directory: String, by process: ProcessIdentity) -> ArchiveError {
        ArchiveError(
            .conflict,
            "process \(process.pid) is restoring into '\(directory)'",
            hint: "wait for it, or interrupt it: kill -INT \(process.pid)"
        )
    }

    /// Refuses where there is not room enough; what is copied by reference takes none.
    package func checkSpace(_ container: Container, _ plan: RestorePlan) throws {
        let wanted = try FileTree.byteCount(of: container.paths.snapshot(plan.snapshot).root)
        var existing = data
        while !FileTree.exists(existing), existing != "/" { existing = FilePath.parent(of: existing) }
        let free = try DiskSpace.at(existing).freeBytes
        guard free < wanted &+ plan.debtBytes else { return }
        throw ArchiveError(
            .refused,
            "the cluster needs \(wanted >> 20) MB and \(plan.debtBytes >> 20) MB for its WAL, and '\(existing)' has "
                + "\(free >> 20) MB left",
            hint: "restore to another filesystem"
        )
    }

    private static func tablespaceMark(_ directory: String) -> String { "\(directory)/pgarchive.restoring" }

    /// Whether a directory is a tablespace's that the restore made; another one may be using it since.
    private func isTablespace(_ directory: String, of mark: Mark?) -> Bool {
        guard let mark, mark.tablespaces.contains(directory) else { return false }
        return (try? FileTree.readText(Self.tablespaceMark(directory))) == mark.id
    }

    private func isInside(_ path: String, _ root: String) -> Bool {
        // What does not exist yet lies where its nearest parent is.
        var parent = path
        while !FileTree.exists(parent), parent != "/" { parent = FilePath.parent(of: parent) }
        guard let real = try? FileTree.resolved(parent), let realRoot = try? FileTree.resolved(root) else {
            return false
        }
        return real == realRoot || real.hasPrefix("\(realRoot)/")
    }

    private func requireEmpty(_ directory: String) throws {
        let names = try FileTree.list(directory)
        guard !names.isEmpty else { return }
        guard names.contains("PG_VERSION") else {
            throw ArchiveError(
                .refused,
                "'\(directory)' is not empty: it holds '\(names[0])'" + (names.count > 1 ? " and more" : ""),
                hint: "restore to an empty directory, or one that does not exist"
            )
        }
        let isRunning = PostgresServer.find(dataDirectory: directory) != nil
        throw ArchiveError(
            .refused,
            "'\(directory)' holds a cluster" + (isRunning ? ", and its server is running" : ""),
            hint: "\(isRunning ? "stop it, then " : "")keep it aside, and give its WAL, which may hold commits that "
                + "never left it: mv \(directory) \(directory).old, then add --wal-from \(directory).old"
        )
    }

    /// Makes the directories, with nothing in them but the mark.
    func begin(_ plan: RestorePlan) throws {
        try FileTree.makeDirectory(data, mode: 0o700, parents: true)
        try clear()
        try FileTree.makeDirectory(work, mode: 0o700, parents: false)
        let mark = Mark(
            id: String(UInt64.random(in: 0...UInt64.max), radix: 16),
            process: ProcessIdentity.current(),
            plan: plan,
            tablespaces: tablespaces.keys.sorted().compactMap { tablespaces[$0] }
        )
        try JSONFile.replace(markPath, with: mark)
        for directory in all {
            try FileTree.makeDirectory(directory, mode: 0o700, parents: true)
            guard chmod(directory, 0o700) == 0 else {
                throw SystemError(call: "set the mode of", errno: errno, path: directory)
            }
            if directory != data { try DurableFile.replace(Self.tablespaceMark(directory), text: mark.id) }
        }
    }

    /// Removes what a restore made: all but the directories themselves, the mark last.
    ///
    /// Without its mark nothing here is a restore's any more.
    func clear() throws {
        guard FileTree.exists(markPath) else { return }
        if let server = PostgresServer.find(dataDirectory: data) { try server.stop(.immediate, timeoutSeconds: 30) }
        if let mark = try JSONFile.read(Mark.self, from: markPath) {
            for directory in mark.tablespaces where isTablespace(directory, of: mark) {
                try FileTree.emptyDirectory(directory)
            }
        }
        for name in try FileTree.list(data) where "\(data)/\(name)" != work {
            try FileTree.removeTree("\(data)/\(name)")
        }
        try FileTree.removeTree(work)
    }

    /// Makes everything durable, and takes the mark away.
    func finish() throws {
        for directory in all where directory != data { try DurableFile.remove(Self.tablespaceMark(directory)) }
        for directory in all { try CopyDriver().sync(directory) }
        try FaultPoint.pass("restore.beforeUnmark")
        // The mark goes at once: while a part of it is there, all that was restored counts as half-made.
        let removed = "\(data)/.pgarchive.restored"
        try DurableFile.rename(work, removed)
        try FileTree.removeTree(removed)
    }
}
