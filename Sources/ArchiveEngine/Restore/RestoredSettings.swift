import ArchiveModel
import Platform
import PostgresLink
import WALFormat

/// The settings files of a restored cluster: upstream's own where they were in its data directory.
struct RestoredSettings {
    let place: RestorePlace
    let plan: RestorePlan

    private var tree: String { place.data }

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
        for (name, text) in [
            ("postgresql.conf", configuration), ("pg_hba.conf", Self.authentication), ("pg_ident.conf", ""),
        ] where !FileTree.exists("\(tree)/\(name)") {
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
        let archive = value("archive_mode")
        if archive == "on" || archive == "always" {
            let how = value("archive_command").isEmpty ? value("archive_library") : value("archive_command")
            remarks.append("archive_mode is \(archive): once started it archives by '\(how)', as the upstream did")
        }
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
