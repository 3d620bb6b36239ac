import ArchiveModel
import Glibc
import Platform
import PostgresLink
import WALFormat

/// A restored cluster in the place of one that is there: made beside it, exchanged with it in one step, and back.
///
/// The two names are all the state there is. Until the exchange a file in the restored one says that it is not the old.
package struct ClusterSwap: Sendable {
    let container: Container
    /// The data directory in use, without symbolic links.
    package let data: String
    /// The restored cluster until the exchange, and the one that was replaced from then on.
    package var kept: String { "\(data).kept" }

    /// What is being removed; hidden, so that nobody takes it for anything else.
    private var going: String {
        FilePath.join(FilePath.parent(of: data), ".\(FilePath.name(of: data)).pgarchive-removing")
    }

    /// Empty directories on which an exchange is tried first; whoever is killed there leaves them to the next command.
    private var tried: [String] {
        ["1", "2"].map {
            FilePath.join(FilePath.parent(of: data), ".\(FilePath.name(of: data)).pgarchive-trying-\($0)")
        }
    }

    private static func markFile(_ directory: String) -> String { "\(directory)/pgarchive.swap" }

    /// - Throws: `notFound` for a directory that is not there.
    package init(_ container: Container, directory: String) throws {
        self.container = container
        do throws(SystemError) {
            data = try FileTree.resolved(directory)
        } catch {
            throw ArchiveError(
                .notFound,
                "'\(directory)' cannot be found: \(error)",
                hint: "give the server's data directory; where there is none any more, restore --to makes one"
            )
        }
    }

    // MARK: - Before

    /// Refuses where the directory is not the upstream's, is in use, or cannot be renamed.
    ///
    /// - Parameter start: the restored server is to be started by us.
    package func check(start: Bool) throws {
        try requireAlone()
        try settle()
        try requireCluster(data)
        try requireExchangeable()
        try requireStopped(data)
        try requireNotReceiving()
        guard !start || FileTree.exists("\(data)/postgresql.conf") else {
            throw ArchiveError(
                .refused,
                "the settings of '\(data)' lie elsewhere, so its server is not started here",
                hint: "leave --start out, and start it as always (pg_ctlcluster, systemctl)"
            )
        }
        guard try hasKept() else { return }
        guard try isPending || FileTree.exists(place(mapping: [:], oids: []).markPath) else {
            throw ArchiveError(
                .refused,
                "'\(kept)' is there: an earlier swap keeps what it replaced",
                hint: "'pgarchive restore --swap-back \(data)' puts it back, '--swap-remove \(data)' removes it"
            )
        }
        try requireStopped(kept)
    }

    /// Where the cluster is restored to.
    package func place(mapping: [UInt32: String], oids: [UInt32]) throws -> RestorePlace {
        // Those of the cluster in use stay where they are.
        let number = (1...).first { !FileTree.exists("\(data).tablespaces-\($0)") } ?? 1
        let beside = oids.map { ($0, "\(data).tablespaces-\(number)/\($0)") }
        let all = Dictionary(uniqueKeysWithValues: beside).merging(mapping) { $1 }
        return try RestorePlace(data: kept, mapping: all, oids: oids)
    }

    /// Removes a restored cluster that was never put into its place, with its tablespaces.
    package func clearPending() throws {
        try requireAlone()
        guard isPending else { return }
        let links = "\(kept)/pg_tblspc"
        for name in FileTree.isDirectory(links) ? try FileTree.list(links) : [] {
            // Made by the restore, and used by nobody since.
            let link = "\(links)/\(name)"
            guard FileTree.isSymbolicLink(link) else { continue }
            let directory = try FileTree.linkTarget(link)
            if FileTree.isDirectory(directory) { try FileTree.emptyDirectory(directory) }
        }
        try remove(kept)
    }

    /// Of a restore that was interrupted nothing is left, not even the directories.
    func removeEmpty(_ place: RestorePlace) {
        // The server's logger may outlive it for a moment, and writes one file when it begins.
        let deadline = Deadline(seconds: 2)
        while rmdir(place.data) != 0, errno == ENOTEMPTY || errno == EEXIST, !deadline.hasPassed {
            try? FileTree.removeFile("\(place.data)/current_logfiles")
            SystemClock.sleep(seconds: 0.05)
        }
        // Others were given, and may have been there before.
        for directory in place.tablespaces.values where directory.hasPrefix("\(data).tablespaces-") {
            rmdir(directory)
            rmdir(FilePath.parent(of: directory))
        }
    }

    /// Who has restored `kept`, until it is exchanged.
    private struct Mark: Codable {
        var process: ProcessIdentity?
    }

    /// Another process may be at work on this very swap.
    private func requireAlone() throws {
        let place = try place(mapping: [:], oids: [])
        let restoring = try JSONFile.read(RestorePlace.Mark.self, from: place.markPath)?.process
        let restored = try JSONFile.read(Mark.self, from: Self.markFile(kept))?.process
        guard let other = [restoring, restored].compactMap(\.self).first(where: { $0.isAlive && $0.pid != getpid() })
        else { return }
        throw RestorePlace.isTaken(kept, by: other)
    }

    /// What an interrupted restore left is an empty directory at most.
    private func hasKept() throws -> Bool {
        guard FileTree.isDirectory(kept) else { return FileTree.exists(kept) }
        return try !FileTree.list(kept).isEmpty
    }

    // MARK: - The exchange

    /// The settings of the cluster in use are the restored one's, which is proven whole, and marked.
    ///
    /// - Returns: what a user should know.
    func prepare(_ place: RestorePlace, _ progress: Progress) throws -> [String] {
        let installation = try container.installation()
        guard let control = try ControlFileReader.read(outside: place.data), control.state == .shutDown,
            control.systemIdentifier == container.identity.systemIdentifier
        else {
            throw ArchiveError(
                .verificationFailed,
                "the restored cluster in '\(place.data)' was not shut down as it should be; nothing was exchanged",
                hint: "the same command begins anew"
            )
        }
        if control.dataChecksumVersion != 0 {
            progress.step("checking the checksums of its pages")
            let output = try ProcessSpawn.run(
                SpawnRequest(
                    executable: installation.tool("pg_checksums"),
                    arguments: ["--check", "-D", place.data],
                    environment: ServerLaunch.standardEnvironment(),
                    workingDirectory: "/"
                )
            )
            guard output.status.isSuccess else {
                throw ArchiveError(
                    .verificationFailed,
                    "pages of the restored cluster in '\(place.data)' are damaged; nothing was exchanged",
                    hint: "restore from another snapshot: --snapshot",
                    details: output.errorText.split(separator: "\n").suffix(10).map(String.init)
                )
            }
        }
        try JSONFile.replace(Self.markFile(place.data), with: Mark(process: ProcessIdentity.current()))
        let names = try (RestoredSettings.names + ["postgresql.auto.conf"]).filter { name in
            let theirs = "\(data)/\(name)"
            let ours = "\(place.data)/\(name)"
            guard FileTree.exists(theirs) else {
                try DurableFile.remove(ours)
                return false
            }
            let mode = try FileTree.status(theirs).mode & 0o640
            try DurableFile.replace(ours, bytes: try FileTree.read(theirs), mode: mode | 0o600)
            return true
        }
        var remarks: [String] = []
        if names.contains("postgresql.conf"), try includesOthers() {
            remarks.append(
                "'\(data)/postgresql.conf' includes other files: those in the data directory are as they were at the "
                    + "moment that was restored"
            )
        }
        if !names.contains("postgresql.conf") {
            remarks.append("the server's settings lie outside of its data directory, and are used as they are")
        }
        if FileTree.isSymbolicLink("\(data)/pg_wal") {
            remarks.append(
                "pg_wal was a link to '\(try FileTree.linkTarget("\(data)/pg_wal"))'; the restored cluster's lies in "
                    + "its data directory"
            )
        }
        return remarks
    }

    private func includesOthers() throws -> Bool {
        let text = String(decoding: try FileTree.read("\(data)/postgresql.conf"), as: UTF8.self)
        return text.split(whereSeparator: \.isNewline).contains { line in
            let word = line.drop { $0 == " " || $0 == "\t" }.prefix { $0.isLetter || $0 == "_" }.lowercased()
            return ["include", "include_dir", "include_if_exists"].contains(word)
        }
    }

    /// Gives each the other's name, in one step.
    func exchange() throws {
        try requireAlone()
        try requireStopped(data)
        try requireNotReceiving()
        guard isPending else {
            throw ArchiveError(
                .failed,
                "'\(kept)' is no longer the cluster that was restored; nothing was exchanged",
                hint: "see who is at work there, then begin anew"
            )
        }
        try FaultPoint.pass("swap.beforeExchange")
        try swapNames()
        try FaultPoint.pass("swap.exchanged")
        try settle()
    }

    /// The cluster that was replaced comes back.
    ///
    /// - Parameter dryRun: only what would stand in the way is looked for.
    package func back(dryRun: Bool) throws {
        try requireAlone()
        try settle()
        guard try hasKept() else {
            throw ArchiveError(
                .notFound,
                "there is no '\(kept)': nothing was swapped here",
                hint: "'pgarchive restore --swap \(data)' does"
            )
        }
        guard !isPending, !FileTree.exists(try place(mapping: [:], oids: []).markPath) else {
            throw ArchiveError(
                .refused,
                "'\(kept)' was restored and never put into its place: '\(data)' is as it was",
                hint: "start the server; or 'pgarchive restore --swap \(data)' begins anew"
            )
        }
        for directory in [data, kept] {
            try requireCluster(directory)
            try requireStopped(directory)
        }
        try requireExchangeable()
        if !dryRun { try swapNames() }
    }

    private func swapNames() throws {
        do throws(SystemError) {
            try DurableFile.exchange(data, kept)
        } catch {
            throw ArchiveError(
                .failed,
                "'\(data)' and '\(kept)' cannot be exchanged: \(error)",
                hint: "nothing was changed; by hand: mv \(data) \(data).old && mv \(kept) \(data) && "
                    + "mv \(data).old \(kept)"
            )
        }
        try DurableFile.syncDirectory(FilePath.parent(of: data))
    }

    // MARK: - Afterwards

    /// What is removed by `remove`.
    package struct Removal: Codable, Sendable {
        package var directory: String
        package var bytes: UInt64
        /// Its tablespaces and pg_wal where they lie elsewhere; they stay.
        package var elsewhere: [String]
    }

    /// What removing the cluster that was replaced would do.
    package func removal() throws -> Removal {
        try requireAlone()
        try settle()
        let directory = try hasKept() ? kept : going
        guard FileTree.exists(directory) else {
            throw ArchiveError(
                .notFound,
                "there is no '\(kept)': nothing was swapped here, or it was removed",
                hint: "'pgarchive restore --swap \(data)' swaps"
            )
        }
        try requireCluster(data)
        if directory == kept {
            try requireCluster(kept)
            try requireStopped(kept)
        }
        let tablespaces = "\(directory)/pg_tblspc"
        let names = FileTree.isDirectory(tablespaces) ? try FileTree.list(tablespaces).sorted() : []
        let links = names.map { "\(tablespaces)/\($0)" } + ["\(directory)/pg_wal"]
        return Removal(
            directory: directory,
            bytes: try FileTree.byteCount(of: directory),
            elsewhere: try links.filter { FileTree.isSymbolicLink($0) }.map { try FileTree.linkTarget($0) }
        )
    }

    /// Removes the cluster that was replaced; killed, the same command goes on.
    package func carryOut(_ removal: Removal) throws {
        try remove(removal.directory)
        for directory in tried { rmdir(directory) }
    }

    private func remove(_ directory: String) throws {
        if directory != going {
            // Half of a cluster must not look like one.
            try FileTree.removeTree(going)
            try DurableFile.rename(directory, going)
        }
        try FileTree.removeTree(going)
    }

    // MARK: - What is there

    /// The restored cluster has not been put into its place.
    package var isPending: Bool { FileTree.exists(Self.markFile(kept)) }

    /// Killed right after the exchange: the restored cluster is in its place.
    private func settle() throws {
        try DurableFile.remove(Self.markFile(data))
    }

    private func requireCluster(_ directory: String) throws {
        guard let control = try ControlFileReader.read(outside: directory) else {
            throw ArchiveError(
                .refused,
                "'\(directory)' is no data directory: it has no global/pg_control",
                hint: "give the server's data directory; 'restore --to' makes one where there is none"
            )
        }
        try control.requireUpstream(of: container, in: directory)
        let status = try FileTree.status(directory)
        guard status.uid == geteuid() else {
            throw ArchiveError(
                .refused,
                "'\(directory)' does not belong to '\(container.identity.owner)', for whom a cluster is restored",
                hint: "restore --to makes one elsewhere, which can be handed over"
            )
        }
    }

    private func requireStopped(_ directory: String) throws {
        guard let server = PostgresServer.find(dataDirectory: directory) else { return }
        throw ArchiveError(
            .refused,
            "the server of '\(directory)' is running, process \(server.pid)",
            hint: "stop it first: clusters are exchanged, and removed, while no server runs on them"
        )
    }

    /// The restored server's timeline would get into the archive, and the old one, put back, could not go on there.
    private func requireNotReceiving() throws {
        guard try HeldLock.isHeld(container.paths.receiverLock) != nil else { return }
        throw ArchiveError(
            .refused,
            "WAL is being received, and would be from the restored server: the old one, put back, could not go on",
            hint: "'pgarchive wal_archive stop' first; 'wal_archive start' after --swap-back"
        )
    }

    private func requireExchangeable() throws {
        let parent = FilePath.parent(of: data)
        // Not by the device: a subvolume has one of its own, and is renamed as any directory is.
        if try MountTable.mount(at: data) != nil {
            throw ArchiveError(
                .refused,
                "'\(data)' is a mount point, which cannot be renamed",
                hint: "restore to a directory beside it with --to, and mount that"
            )
        }
        guard access(parent, W_OK) == 0 else {
            throw ArchiveError(
                .refused,
                "'\(container.identity.owner)' cannot rename anything in '\(parent)'",
                hint: "give that user the right to write there"
            )
        }
        let tried = tried
        defer { for directory in tried { rmdir(directory) } }
        do throws(SystemError) {
            for directory in tried { try FileTree.makeDirectory(directory, mode: 0o700) }
            try DurableFile.exchange(tried[0], tried[1])
        } catch {
            throw ArchiveError(
                .refused,
                "the filesystem of '\(parent)' cannot exchange two directories in one step: \(error)",
                hint: "restore to a directory beside it with --to, and rename both while the server is down"
            )
        }
    }
}
