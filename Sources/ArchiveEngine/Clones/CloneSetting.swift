import ArchiveModel

/// A setting that a clone's maker gives: `work_mem=64MB`.
package struct CloneSetting: Hashable, Sendable {
    package let name: String
    package let value: String

    /// - Parameter major: the clone's; what isolation sets depends on it.
    package init(_ text: String, major: Int) throws {
        guard let sign = text.firstIndex(of: "=") else {
            throw Self.fault(text, "a setting is given as NAME=VALUE")
        }
        let name = text[..<sign].lowercased().trimmingSpaces
        let value = text[text.index(after: sign)...].trimmingSpaces
        guard let first = name.utf8.first, Self.isLetter(first),
            name.utf8.allSatisfy({ Self.isLetter($0) || (0x30...0x39).contains($0) || $0 == 0x2E || $0 == 0x24 })
        else { throw Self.fault(text, "'\(name)' is no setting's name") }
        guard !value.contains(where: \.isNewline), !value.utf8.contains(0) else {
            throw Self.fault(text, "a value is one line")
        }
        if let reason = Self.reserved(name, major: major) { throw Self.fault(text, reason) }
        self.name = name
        self.value = value
    }

    /// As it stands in a postgresql.conf: within the quotes a backslash escapes too.
    var line: String {
        let quoted = value.replacingScalar("'", with: "''").replacingScalar("\\", with: "\\\\")
        return "\(name) = '\(quoted)'"
    }

    /// Why a clone's maker cannot set it.
    private static func reserved(_ name: String, major: Int) -> String? {
        switch name {
        case "listen_addresses": return "--reachable makes a clone listen beyond this host"
        case "port": return "ports come from clone.ports in the container's settings"
        case "shared_preload_libraries":
            return "standby.shared_preload_libraries in the container's settings is for that"
        case "hba_file", "ident_file", "config_file", "data_directory", "unix_socket_directories", "restore_command",
            "cluster_name", "hot_standby", "external_pid_file", "include", "include_dir", "include_if_exists":
            return "\(name) is given at each start"
        // They act while the clone recovers: one on an archive, the other ends the recovery early.
        case "archive_cleanup_command", "promote_trigger_file": return "\(name) is for a standby, not for a clone"
        default: break
        }
        if ServerSettings.logging(directory: "").contains(where: { $0.name == name }) {
            return "\(name) is given at each start, for 'pgarchive clone log'"
        }
        if name.hasPrefix("recovery_") || name.hasPrefix("ssl") { return "\(name) is given at each start" }
        let isIsolation = ServerSettings.isolation(major: major).contains { $0.name == name }
        return isIsolation ? "\(name) keeps the clone apart from everybody else, and is given at each start" : nil
    }

    private static func isLetter(_ byte: UInt8) -> Bool { (0x61...0x7A).contains(byte) || byte == 0x5F }

    private static func fault(_ text: String, _ reason: String) -> ArchiveError {
        ArchiveError(
            .usage,
            "--set \(text): \(reason)",
            hint: "e.g. --set work_mem=64MB; what else a clone is started with stands in docs/clones.md"
        )
    }
}

extension StringProtocol {
    fileprivate var trimmingSpaces: String {
        let front = drop { $0 == " " }
        return String(front.reversed().drop { $0 == " " }.reversed())
    }
}
