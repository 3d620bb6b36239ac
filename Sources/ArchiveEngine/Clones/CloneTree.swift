import ArchiveModel
import Platform

/// Turns a copy of a cluster into one that can start beside its original.
enum CloneTree {
    /// Files of the original's running server; the clone's own would be mistaken for it.
    private static let removedFiles = [
        "postmaster.pid", "postmaster.opts", "postgresql.auto.conf.tmp", "current_logfiles", "recovery.signal",
        "promote", "pg_internal.init", "global/pg_internal.init",
    ]

    /// Directories whose content means nothing to another server.
    private static let emptiedDirectories = [
        "pg_replslot", "pg_stat_tmp", "pg_notify", "pg_serial", "pg_snapshots", "pg_dynshmem", "pg_subtrans",
    ]

    /// Removes what belonged to the original's running server.
    static func removeRemains(data: String) throws {
        for file in removedFiles { try FileTree.removeFile("\(data)/\(file)") }
        for directory in emptiedDirectories where FileTree.isDirectory("\(data)/\(directory)") {
            try FileTree.emptyDirectory("\(data)/\(directory)")
        }
    }

    /// - Parameter keepsWAL: a duplicate needs its own WAL to recover from a crash; a copy of a snapshot must not
    ///   have any, as it may go on beyond the target.
    static func prepare(_ tree: ServerTree, for record: CloneRecord, keepsWAL: Bool) throws {
        let wasRunning = FileTree.exists("\(tree.data)/postmaster.pid")
        try removeRemains(data: tree.data)
        for file in ["postgresql.conf", "pg_hba.conf", "pg_ident.conf"] {
            try FileTree.removeFile("\(tree.root)/\(file)")
        }
        // Upstream's ALTER SYSTEM would win over the clone's own file. An image's is empty.
        let changesSettings = (try? FileTree.size(tree.autoConfiguration)) != 0
        if changesSettings { try FileTree.replace(tree.autoConfiguration, text: "") }
        try StandbyTree.relinkTablespaces(tree)
        try StandbyTree.requireContained(tree)
        if !keepsWAL {
            try FileTree.emptyDirectory(tree.writeAheadLog)
            try FileTree.makeDirectory("\(tree.writeAheadLog)/archive_status", mode: 0o700, parents: false)
            try FileTree.replace(tree.standbySignal, text: "")
        }
        guard !record.isLook else { return }
        if changesSettings { try DurableFile.syncFile(tree.autoConfiguration) }
        if !keepsWAL { try DurableFile.syncDirectory(tree.writeAheadLog) }
        if changesSettings || !keepsWAL || wasRunning { try DurableFile.syncDirectory(tree.data) }
    }
}
