import ArchiveModel
import Platform
import PostgresLink
import WALFormat

/// The settings files of a restored cluster: upstream's own where they were in its data directory.
struct RestoredSettings {
    let place: RestorePlace
    let plan: RestorePlan

    private var tree: String { place.data }

    /// Those that people write.
    static let names = ["postgresql.conf", "pg_hba.conf", "pg_ident.conf"]

    /// Puts them into place.
    ///
    /// - Returns: what a user should know of them.
    func write() throws -> [String] {
        var remarks: [String] = []
        let upstreams = "\(tree)/postgresql.auto.conf.upstream"
        if FileTree.exists(upstreams) {
            try DurableFile.replace("\(tree)/postgresql.auto.conf", text: try FileTree.readText(upstreams), mode: 0o600)
            try DurableFile.remove(upstreams)
        }
        var written: [String] = []
        for (name, text) in zip(Self.names, [configuration, Self.authentication, ""])
        where !FileTree.exists("\(tree)/\(name)") {
            try DurableFile.replace("\(tree)/\(name)", text: text, mode: 0o600)
            written.append(name)
        }
        if !written.isEmpty {
            remarks.append(
                "\(written.joined(separator: ", ")): the upstream keeps its own outside of its data directory, so "
                    + "simple ones were written; look at them before others may connect"
            )
        }
        return remarks
    }

    /// Takes the upstream's archive_command out: the upstream may live on, and its archive is not for two timelines.
    ///
    /// WAL is kept until one is set, so that nothing is lost.
    static func withholdArchiving(installation: PostgresInstallation, data: String) throws -> [String] {
        let file = "\(data)/postgresql.conf"
        func value(_ name: String) -> String {
            installation.setting(name, dataDirectory: data, configurationFile: file) ?? ""
        }
        let mode = value("archive_mode")
        guard mode == "on" || mode == "always" else { return [] }
        let how = value("archive_command").isEmpty ? value("archive_library") : value("archive_command")
        guard !how.isEmpty else { return [] }
        let path = "\(data)/postgresql.auto.conf"
        let text = try FileTree.exists(path) ? FileTree.readText(path) : ""
        let lines = [
            "# pgarchive restore: the upstream's own would mix two servers' WAL.", "archive_command = ''",
            "archive_library = ''",
        ]
        try DurableFile.replace(path, text: text + lines.map { "\($0)\n" }.joined(), mode: 0o600)
        return [
            "archive_mode is \(mode), and the upstream's archive_command was taken out: WAL is kept until the server "
                + "has one of its own (ALTER SYSTEM SET archive_command = …); it was '\(how)'"
        ]
    }

    private var configuration: String {
        """
        # Written by pgarchive restore: the upstream's own file is not part of its data directory.
        listen_addresses = 'localhost'

        """ + plan.parameters.settings.map { "\($0.name) = \($0.value)\n" }.joined()
    }

    private static let authentication = """
        local all all peer
        host all all 127.0.0.1/32 scram-sha-256
        host all all ::1/128 scram-sha-256
        """ + "\n"

    /// What the upstream's settings will make the restored server do to others.
    static func remarks(installation: PostgresInstallation, data: String) -> [String] {
        let file = "\(data)/postgresql.conf"
        func value(_ name: String) -> String {
            installation.setting(name, dataDirectory: data, configurationFile: file) ?? ""
        }
        var remarks: [String] = []
        let synchronous = value("synchronous_standby_names")
        if !synchronous.isEmpty {
            remarks.append("synchronous_standby_names is '\(synchronous)': commits wait until such a standby is there")
        }
        let held = ((try? FileTree.list("\(data)/pg_twophase")) ?? []).count
        if held > 0, (Int(value("max_prepared_transactions")) ?? 0) < held {
            remarks.append(
                "\(held) prepared transactions are held: set max_prepared_transactions to at least that before a start"
            )
        }
        return remarks
    }
}
